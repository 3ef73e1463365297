/* parallel/checkpoint_snapshot.c: the state of one moment, held still while it is written. */
#include <stdlib.h>
#include <string.h>

#include "parallel/checkpoint_files.h"

float *judo_shard_kind_data(const judo_zero3_owned *part, int kind)
{
    float *const data[JUDO_SHARD_KINDS] = {part->weights, part->first_moment,
                                           part->second_moment};
    return data[kind];
}

typedef void (*piece_visit)(judo_snapshot *snapshot, const judo_shard_piece *piece);

/* Every array that this rank owns a part of, in file order. */
static void for_each_piece(judo_snapshot *snapshot, judo_zero3 *zero3, piece_visit visit)
{
    const judo_param_layout *layout = judo_zero3_layout(zero3);
    for (int p = 0; p < layout->num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
        for (int kind = 0; part.count > 0 && kind < JUDO_SHARD_KINDS; kind++) {
            const judo_shard_piece piece = {.tensor = layout->params[p].name,
                                            .kind = kind,
                                            .first = part.first,
                                            .count = part.count,
                                            .data = judo_shard_kind_data(&part, kind)};
            if (piece.data != NULL) {
                visit(snapshot, &piece);
            }
        }
    }
}

static void count_piece(judo_snapshot *snapshot, const judo_shard_piece *piece)
{
    snapshot->num_pieces++;
    snapshot->data_bytes += piece->count * (int64_t)sizeof(float);
}

static void take_piece(judo_snapshot *snapshot, const judo_shard_piece *piece)
{
    judo_shard_piece *own = &snapshot->pieces[snapshot->num_pieces];
    *own = *piece;
    if (snapshot->copy != NULL) {
        float *place = snapshot->copy + snapshot->data_bytes / (int64_t)sizeof(float);
        memcpy(place, piece->data, (size_t)piece->count * sizeof(float));
        own->data = place;
    }
    count_piece(snapshot, piece);
}

judo_status judo_snapshot_create(judo_zero3 *zero3, bool with_copy, judo_snapshot *out)
{
    judo_snapshot snapshot = {0};
    for_each_piece(&snapshot, zero3, count_piece);
    snapshot.pieces = calloc((size_t)snapshot.num_pieces + 1, sizeof *snapshot.pieces);
    if (with_copy) {
        snapshot.copy = malloc((size_t)snapshot.data_bytes + 1);
    }
    if (snapshot.pieces == NULL || (with_copy && snapshot.copy == NULL)) {
        judo_snapshot_free(&snapshot);
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "no memory to copy %lld bytes of a checkpoint; save in the foreground",
                         (long long)snapshot.data_bytes);
    }
    /* Touches every page: now, not in the first save, is the time to run out of memory. */
    judo_snapshot_take(&snapshot, zero3);
    *out = snapshot;
    return JUDO_OK;
}

void judo_snapshot_take(judo_snapshot *snapshot, judo_zero3 *zero3)
{
    snapshot->num_pieces = 0;
    snapshot->data_bytes = 0;
    for_each_piece(snapshot, zero3, take_piece);
}

void judo_snapshot_free(judo_snapshot *snapshot)
{
    free(snapshot->pieces);
    free(snapshot->copy);
    *snapshot = (judo_snapshot){0};
}
