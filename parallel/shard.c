/* parallel/shard.c: slices of units and of parameters. */
#include "parallel/shard.h"

#include <stdlib.h>

int64_t judo_shard_slice(int64_t count, int size, int num_replicas)
{
    int64_t even = count / size + (count % size != 0);
    int64_t step = (int64_t)JUDO_SHARD_ALIGNMENT * num_replicas;
    return (even + step - 1) / step * step;
}

static judo_status check_unit(const judo_param_layout *layout, const judo_unit *unit)
{
    int64_t next = 0;
    for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
        if (p < 0 || p >= layout->num_params || layout->params[p].offset != next) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "unit %s: parameter %d does not lie behind the one before it",
                             unit->name, p);
        }
        next += layout->params[p].count;
    }
    if (next != unit->count) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "unit %s: its parameters have %lld elements, the unit %lld",
                         unit->name, (long long)next, (long long)unit->count);
    }
    return JUDO_OK;
}

static judo_status fill(judo_shard_map *map)
{
    const judo_param_layout *layout = map->layout;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        JUDO_TRY(check_unit(layout, unit));
        map->slice[u] = judo_shard_slice(unit->count, map->size, map->num_replicas);
        map->position[u] = map->total;
        map->total += map->slice[u];
        map->trainable_position[u] = unit->frozen ? -1 : map->trainable_total;
        map->trainable_total += unit->frozen ? 0 : map->slice[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            map->unit_of_param[p] = u;
        }
    }
    return JUDO_OK;
}

judo_status judo_shard_map_create(judo_shard_map *map, const judo_param_layout *layout,
                                  int rank, int size, int replica, int num_replicas)
{
    size_t units = (size_t)layout->num_units + 1;
    size_t params = (size_t)layout->num_params + 1;
    *map = (judo_shard_map){.layout = layout,
                            .rank = rank,
                            .size = size,
                            .replica = replica,
                            .num_replicas = num_replicas,
                            .slice = calloc(units, sizeof(int64_t)),
                            .position = calloc(units, sizeof(int64_t)),
                            .trainable_position = calloc(units, sizeof(int64_t)),
                            .unit_of_param = calloc(params, sizeof(int))};
    judo_status status = JUDO_OK;
    if (!map->slice || !map->position || !map->trainable_position || !map->unit_of_param) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the shard map of %d units",
                           layout->num_units);
    } else {
        status = fill(map);
    }
    if (status != JUDO_OK) {
        judo_shard_map_destroy(map);
    }
    return status;
}

void judo_shard_map_destroy(judo_shard_map *map)
{
    free(map->slice);
    free(map->position);
    free(map->trainable_position);
    free(map->unit_of_param);
    *map = (judo_shard_map){0};
}

int64_t judo_shard_padded_count(const judo_shard_map *map, int unit)
{
    return map->slice[unit] * map->size;
}

int64_t judo_shard_part(const judo_shard_map *map, int unit)
{
    return map->slice[unit] / map->num_replicas;
}

/* A parameter's elements in [begin, end) of its unit's buffer. */
static judo_shard_range range_within(const judo_shard_map *map, int param, int64_t begin,
                                     int64_t end)
{
    const judo_param *p = &map->layout->params[param];
    int unit = map->unit_of_param[param];
    int64_t from = p->offset > begin ? p->offset : begin;
    int64_t to = p->offset + p->count < end ? p->offset + p->count : end;
    judo_shard_range range = {.unit = unit,
                              .frozen = p->frozen || map->trainable_position[unit] < 0};
    if (from < to) {
        range.first = from - p->offset;
        range.count = to - from;
        range.at = from - map->slice[unit] * map->rank;
    }
    return range;
}

judo_shard_range judo_shard_stored(const judo_shard_map *map, int param)
{
    int64_t slice = map->slice[map->unit_of_param[param]];
    return range_within(map, param, slice * map->rank, slice * (map->rank + 1));
}

judo_shard_range judo_shard_owned(const judo_shard_map *map, int param)
{
    int unit = map->unit_of_param[param];
    int64_t begin = map->slice[unit] * map->rank + judo_shard_part(map, unit) * map->replica;
    return range_within(map, param, begin, begin + judo_shard_part(map, unit));
}
