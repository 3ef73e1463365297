/* runtime/pool_space.c: pieces in the order of their addresses, taken and free, that leave no
 * gap; two free ones never touch. */
#include "runtime/pool_space.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct piece {
    int64_t offset, bytes;
    bool taken;
} piece;

struct judo_pool_space {
    piece *pieces;
    int64_t count, room;
    int64_t capacity, used, peak;
};

int64_t judo_pool_rounded(int64_t bytes)
{
    const int64_t most = INT64_MAX / JUDO_POOL_ALIGNMENT * JUDO_POOL_ALIGNMENT;
    if (bytes <= 0) {
        return JUDO_POOL_ALIGNMENT;
    }
    if (bytes > most) {
        return most;
    }
    return (bytes + JUDO_POOL_ALIGNMENT - 1) / JUDO_POOL_ALIGNMENT * JUDO_POOL_ALIGNMENT;
}

judo_status judo_pool_space_create(int64_t capacity, judo_pool_space **out)
{
    enum { FIRST_ROOM = 64 };

    if (capacity < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a pool of %" PRId64 " bytes", capacity);
    }
    judo_pool_space *space = calloc(1, sizeof *space);
    if (space == NULL || (space->pieces = calloc(FIRST_ROOM, sizeof *space->pieces)) == NULL) {
        free(space);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the list of a pool's parts");
    }
    space->room = FIRST_ROOM;
    space->capacity = capacity / JUDO_POOL_ALIGNMENT * JUDO_POOL_ALIGNMENT;
    space->pieces[0] = (piece){.bytes = space->capacity};
    space->count = space->capacity > 0;
    *out = space;
    return JUDO_OK;
}

void judo_pool_space_destroy(judo_pool_space **space)
{
    if (*space != NULL) {
        free((*space)->pieces);
        free(*space);
        *space = NULL;
    }
}

/* The free piece that is used up best; -1: none is large enough. */
static int64_t best_hole(const judo_pool_space *space, int64_t bytes)
{
    int64_t best = -1;
    for (int64_t i = 0; i < space->count; i++) {
        const piece *p = &space->pieces[i];
        if (!p->taken && p->bytes >= bytes &&
            (best < 0 || p->bytes < space->pieces[best].bytes)) {
            best = i;
        }
    }
    return best;
}

static judo_status make_room(judo_pool_space *space)
{
    if (space->count < space->room) {
        return JUDO_OK;
    }
    piece *grown = realloc(space->pieces, (size_t)(2 * space->room) * sizeof *grown);
    if (grown == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a list of %" PRId64 " parts",
                         2 * space->room);
    }
    space->pieces = grown;
    space->room *= 2;
    return JUDO_OK;
}

static void remove_piece(judo_pool_space *space, int64_t i)
{
    space->count--;
    memmove(&space->pieces[i], &space->pieces[i + 1],
            (size_t)(space->count - i) * sizeof *space->pieces);
}

judo_status judo_pool_space_take(judo_pool_space *space, int64_t bytes, int64_t *offset)
{
    if (bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "pool: %" PRId64 " bytes of memory", bytes);
    }
    const int64_t rounded = judo_pool_rounded(bytes);
    JUDO_TRY(make_room(space));
    int64_t at = best_hole(space, rounded);
    if (at < 0) {
        judo_pool_facts facts = judo_pool_space_facts(space);
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "pool: %" PRId64 " bytes wanted, %" PRId64 " of %" PRId64
                         " are left, %" PRId64 " of them together",
                         bytes, facts.capacity - facts.used, facts.capacity,
                         facts.largest_hole);
    }
    piece *hole = &space->pieces[at];
    if (hole->bytes > rounded) {
        memmove(hole + 1, hole, (size_t)(space->count - at) * sizeof *hole);
        space->count++;
        hole[1].offset += rounded;
        hole[1].bytes -= rounded;
    }
    *hole = (piece){.offset = hole->offset, .bytes = rounded, .taken = true};
    space->used += rounded;
    space->peak = space->used > space->peak ? space->used : space->peak;
    *offset = hole->offset;
    return JUDO_OK;
}

/* The piece that begins there, or where it would stand. */
static int64_t find(const judo_pool_space *space, int64_t offset)
{
    int64_t first = 0;
    int64_t end = space->count;
    while (first < end) {
        int64_t middle = first + (end - first) / 2;
        if (space->pieces[middle].offset < offset) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

judo_status judo_pool_space_give_back(judo_pool_space *space, int64_t offset)
{
    int64_t i = find(space, offset);
    piece *p = &space->pieces[i];
    if (i == space->count || p->offset != offset || !p->taken) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "pool: nothing that is taken begins at byte %" PRId64, offset);
    }
    p->taken = false;
    space->used -= p->bytes;
    if (i + 1 < space->count && !p[1].taken) {
        p->bytes += p[1].bytes;
        remove_piece(space, i + 1);
    }
    if (i > 0 && !p[-1].taken) {
        p[-1].bytes += p->bytes;
        remove_piece(space, i);
    }
    return JUDO_OK;
}

judo_pool_facts judo_pool_space_facts(const judo_pool_space *space)
{
    judo_pool_facts facts = {
        .capacity = space->capacity, .used = space->used, .peak = space->peak};
    for (int64_t i = 0; i < space->count; i++) {
        const piece *p = &space->pieces[i];
        if (!p->taken && p->bytes > facts.largest_hole) {
            facts.largest_hole = p->bytes;
        }
    }
    return facts;
}
