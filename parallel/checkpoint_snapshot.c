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

bool judo_shard_kind_is_kept(const judo_zero3 *zero3, const judo_zero3_owned *part, int kind)
{
    return judo_shard_kind_data(part, kind) != NULL ||
           (kind == 0 && judo_zero3_is_split(zero3));
}

typedef judo_status (*piece_visit)(judo_snapshot *snapshot, const judo_zero3 *zero3, int param,
                                   const judo_shard_piece *piece);

/* Every array that this rank owns a part of, in file order. */
static judo_status for_each_piece(judo_snapshot *snapshot, judo_zero3 *zero3, piece_visit visit)
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
            if (judo_shard_kind_is_kept(zero3, &part, kind)) {
                JUDO_TRY(visit(snapshot, zero3, p, &piece));
            }
        }
    }
    return JUDO_OK;
}

static judo_status count_piece(judo_snapshot *snapshot, const judo_zero3 *zero3, int param,
                               const judo_shard_piece *piece)
{
    (void)zero3;
    (void)param;
    snapshot->num_pieces++;
    snapshot->data_bytes += piece->count * (int64_t)sizeof(float);
    return JUDO_OK;
}

static judo_status take_piece(judo_snapshot *snapshot, const judo_zero3 *zero3, int param,
                              const judo_shard_piece *piece)
{
    judo_shard_piece *own = &snapshot->pieces[snapshot->num_pieces];
    *own = *piece;
    if (snapshot->copy != NULL) {
        float *place = snapshot->copy + snapshot->data_bytes / (int64_t)sizeof(float);
        JUDO_TRY(piece->data != NULL
                     ? snapshot->device->copy(place, piece->data,
                                              piece->count * (int64_t)sizeof(float), NULL)
                     : judo_zero3_get_weights(zero3, param, 0, piece->count, place));
        own->data = place;
    }
    return count_piece(snapshot, zero3, param, piece);
}

static judo_status allocate_copy(judo_snapshot *snapshot)
{
    void *memory = NULL;
    if (snapshot->device->allocate_staging(&memory, snapshot->data_bytes) != JUDO_OK) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "no memory to copy %lld bytes of a checkpoint; save in the foreground "
                         "or with more ranks",
                         (long long)snapshot->data_bytes);
    }
    snapshot->copy = memory;
    return JUDO_OK;
}

static judo_status take_pieces(judo_snapshot *snapshot, judo_zero3 *zero3)
{
    snapshot->num_pieces = 0;
    snapshot->data_bytes = 0;
    JUDO_TRY(for_each_piece(snapshot, zero3, take_piece));
    return snapshot->device->stream_finish(NULL);
}

static bool is_live(const judo_zero3 *zero3)
{
    return judo_zero3_owned_is_on_host(zero3) && !judo_zero3_is_split(zero3);
}

bool judo_snapshot_must_copy(const judo_zero3 *zero3)
{
    return judo_zero3_device(zero3)->separate && !is_live(zero3);
}

judo_status judo_snapshot_create(judo_zero3 *zero3, bool with_copy, judo_snapshot *out)
{
    judo_snapshot snapshot = {.device = judo_zero3_device(zero3), .keeps_copy = with_copy};
    judo_status status = for_each_piece(&snapshot, zero3, count_piece);
    snapshot.pieces = calloc((size_t)snapshot.num_pieces + 1, sizeof *snapshot.pieces);
    if (snapshot.pieces == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a checkpoint of %d arrays",
                           snapshot.num_pieces);
    }
    if (status == JUDO_OK && with_copy) {
        status = allocate_copy(&snapshot);
    }
    /* Touches every page: now, not in the first save, is the time to run out of memory. */
    if (status == JUDO_OK) {
        status = take_pieces(&snapshot, zero3);
    }
    if (status != JUDO_OK) {
        judo_snapshot_free(&snapshot);
        return status;
    }
    *out = snapshot;
    return JUDO_OK;
}

judo_status judo_snapshot_take(judo_snapshot *snapshot, judo_zero3 *zero3)
{
    if (snapshot->copy == NULL && !is_live(zero3)) {
        JUDO_TRY(allocate_copy(snapshot));
    }
    return take_pieces(snapshot, zero3);
}

static void release_copy(judo_snapshot *snapshot)
{
    if (snapshot->copy != NULL) {
        snapshot->device->release_staging(snapshot->copy);
        snapshot->copy = NULL;
    }
}

void judo_snapshot_written(judo_snapshot *snapshot)
{
    if (!snapshot->keeps_copy) {
        release_copy(snapshot);
    }
}

void judo_snapshot_free(judo_snapshot *snapshot)
{
    free(snapshot->pieces);
    release_copy(snapshot);
    *snapshot = (judo_snapshot){0};
}
