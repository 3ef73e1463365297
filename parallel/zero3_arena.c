/* parallel/zero3_arena.c: where gathered units lie, and which of them are kept.
 *
 * Decisions depend only on the sequence of calls, which is the same on all ranks: so are the
 * gathers. Units are put at the two ends of the room in turn, which is why two at once always
 * fit in the room of the two largest. Whole units have places of their own. */
#include "parallel/zero3_state.h"

/* What may be dropped to make room. */
typedef enum mercy {
    DROP_NOTHING,
    DROP_CACHED, /* released units */
    DROP_AHEAD,  /* also units fetched ahead but not yet used */
} mercy;

static bool may_drop(judo_gather_state state, mercy limit)
{
    switch (state) {
    case JUDO_GATHER_ABSENT:
        return true;
    case JUDO_GATHER_CACHED:
        return limit >= DROP_CACHED;
    case JUDO_GATHER_IN_FLIGHT:
    case JUDO_GATHER_AHEAD:
        return limit >= DROP_AHEAD;
    case JUDO_GATHER_HELD:
        return false;
    }
    return false;
}

static bool overlaps(const judo_zero3 *zero3, int unit, int64_t offset, int64_t count)
{
    const judo_gathered_unit *other = &zero3->gathered[unit];
    return other->state != JUDO_GATHER_ABSENT &&
           offset < other->offset + judo_shard_padded_count(&zero3->map, unit) &&
           other->offset < offset + count;
}

static bool has_room(const judo_zero3 *zero3, int64_t offset, int64_t count, mercy limit)
{
    const judo_zero3_places *places = &zero3->places;
    if (offset < places->room_first ||
        offset + count > places->room_first + places->room_count) {
        return false;
    }
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        if (overlaps(zero3, u, offset, count) && !may_drop(zero3->gathered[u].state, limit)) {
            return false;
        }
    }
    return true;
}

/* Both ends of the room first, at the price of what is cached there: a unit in the middle
 * could shut out the largest one. Then right behind and before each unit that is there. */
static bool find_room(const judo_zero3 *zero3, int unit, mercy limit, int64_t *offset)
{
    int64_t count = judo_shard_padded_count(&zero3->map, unit);
    const judo_zero3_places *places = &zero3->places;
    if (places->whole[unit] >= 0) {
        *offset = places->whole[unit];
        return true;
    }
    int64_t ends[2] = {places->room_first, places->room_first + places->room_count - count};
    for (mercy price = DROP_NOTHING; price <= limit; price++) {
        for (int i = 0; i < 2; i++) {
            if (has_room(zero3, ends[i], count, price)) {
                *offset = ends[i];
                return true;
            }
        }
    }
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        const judo_gathered_unit *other = &zero3->gathered[u];
        if (other->state == JUDO_GATHER_ABSENT) {
            continue;
        }
        int64_t edges[2] = {other->offset + judo_shard_padded_count(&zero3->map, u),
                            other->offset - count};
        for (int i = 0; i < 2; i++) {
            if (has_room(zero3, edges[i], count, limit)) {
                *offset = edges[i];
                return true;
            }
        }
    }
    return false;
}

static judo_status settle(judo_zero3 *zero3, judo_gathered_unit *unit)
{
    if (unit->state == JUDO_GATHER_IN_FLIGHT) {
        JUDO_TRY(judo_comm_wait(zero3->group_exchange, unit->request));
        unit->state = JUDO_GATHER_AHEAD;
    }
    return JUDO_OK;
}

static judo_status start_gather(judo_zero3 *zero3, int unit, int64_t offset)
{
    int64_t count = judo_shard_padded_count(&zero3->map, unit);
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        if (overlaps(zero3, u, offset, count)) {
            JUDO_TRY(settle(zero3, &zero3->gathered[u]));
            zero3->gathered[u].state = JUDO_GATHER_ABSENT;
        }
    }
    judo_gathered_unit *self = &zero3->gathered[unit];
    self->offset = offset;
    self->state = JUDO_GATHER_AHEAD;
    if (zero3->map.size > 1) {
        judo_comm_set_unit(zero3->group_exchange, zero3->map.layout->units[unit].name);
        JUDO_TRY(judo_comm_all_gather_start(
            zero3->group_exchange, judo_zero3_compute_at(zero3, unit, 0),
            zero3->map.slice[unit] * judo_dtype_bytes(zero3->base.compute_dtype),
            judo_zero3_gathered_at(zero3, unit), &self->request));
        self->state = JUDO_GATHER_IN_FLIGHT;
    }
    return JUDO_OK;
}

judo_status judo_zero3_arena_acquire(judo_zero3 *zero3, int unit)
{
    judo_gathered_unit *self = &zero3->gathered[unit];
    const char *name = zero3->map.layout->units[unit].name;
    if (self->state == JUDO_GATHER_ABSENT) {
        int64_t count = judo_shard_padded_count(&zero3->map, unit);
        int64_t offset = 0;
        if (!find_room(zero3, unit, DROP_CACHED, &offset) &&
            !find_room(zero3, unit, DROP_AHEAD, &offset)) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY,
                             "unit %s: no room for its %lld elements beside the units that are "
                             "held now (room for %lld in all)",
                             name, (long long)count, (long long)zero3->places.room_count);
        }
        JUDO_TRY(start_gather(zero3, unit, offset));
    }
    JUDO_TRY(settle(zero3, self));
    self->state = JUDO_GATHER_HELD;
    return JUDO_OK;
}

static int num_in_flight(const judo_zero3 *zero3)
{
    int num = 0;
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        num += zero3->gathered[u].state == JUDO_GATHER_IN_FLIGHT;
    }
    return num;
}

judo_status judo_zero3_arena_prefetch(judo_zero3 *zero3, int unit)
{
    int64_t offset = 0;
    if (zero3->gathered[unit].state == JUDO_GATHER_ABSENT &&
        num_in_flight(zero3) <= JUDO_MAX_PREFETCH &&
        find_room(zero3, unit, DROP_CACHED, &offset)) {
        JUDO_TRY(start_gather(zero3, unit, offset));
    }
    return JUDO_OK;
}

judo_status judo_zero3_arena_forget(judo_zero3 *zero3)
{
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        judo_gathered_unit *unit = &zero3->gathered[u];
        JUDO_TRY(settle(zero3, unit));
        if (unit->state != JUDO_GATHER_HELD) {
            unit->state = JUDO_GATHER_ABSENT;
        }
    }
    return JUDO_OK;
}
