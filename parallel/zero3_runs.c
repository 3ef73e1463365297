/* parallel/zero3_runs.c: what of a rank's shard one op can work on: an op for each parameter
 * would be hundreds, most of them for a few elements. */
#include <stdlib.h>

#include "parallel/zero3_state.h"

static int64_t gradient_index(const judo_zero3 *zero3, int unit, int64_t at)
{
    const judo_shard_map *map = &zero3->map;
    int64_t first = map->trainable_position[unit];
    if (judo_zero3_gradients_are_whole(&zero3->options, map->size)) {
        first = first * map->size + map->rank * map->slice[unit];
    }
    return first + at;
}

/* Whether the slice of a unit begins where that of the one before it ends, in every array. */
static bool follows(const judo_zero3 *zero3, int unit, int before)
{
    const judo_shard_map *map = &zero3->map;
    const int64_t slice = map->slice[before];
    return map->position[unit] == map->position[before] + slice &&
           zero3->places.own[unit] == zero3->places.own[before] + slice &&
           gradient_index(zero3, unit, 0) == gradient_index(zero3, before, slice);
}

/* What the rank stores of a unit's parameters, behind what the run has already. */
static void add_unit(const judo_zero3 *zero3, judo_zero3_run *run, judo_adamw_segment *segments,
                     int unit)
{
    const judo_param_layout *layout = zero3->map.layout;
    const judo_unit *of = &layout->units[unit];
    for (int p = of->first_param; p < of->first_param + of->num_params; p++) {
        const judo_shard_range range = judo_shard_stored(&zero3->map, p);
        const int64_t begin = run->count + range.at;
        const int last = run->num_segments - 1;
        if (range.count == 0 || range.frozen) {
            continue;
        }
        if (last >= 0 && segments[last].end == begin &&
            segments[last].decay == layout->params[p].decay) {
            segments[last].end += range.count;
        } else {
            segments[run->num_segments++] =
                (judo_adamw_segment){begin, begin + range.count, layout->params[p].decay};
        }
    }
    run->count += zero3->map.slice[unit];
}

static void find_runs(const judo_zero3 *zero3, judo_zero3_runs *out)
{
    judo_adamw_segment *segments = out->segments;
    judo_zero3_run *run = NULL;
    int before = -1;
    for (int u = 0; u < zero3->map.layout->num_units; u++) {
        if (zero3->map.trainable_position[u] < 0) {
            continue;
        }
        if (before < 0 || !follows(zero3, u, before)) {
            segments += run != NULL ? run->num_segments : 0;
            run = &out->runs[out->num_runs++];
            *run = (judo_zero3_run){.unit = u, .segments = segments};
        }
        add_unit(zero3, run, segments, u);
        before = u;
    }
}

static bool has_frozen(const judo_param_layout *layout, const judo_unit *unit)
{
    for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
        if (layout->params[p].frozen) {
            return true;
        }
    }
    return false;
}

static void add_gradients(judo_zero3_runs *out, int64_t first, int64_t count)
{
    judo_zero3_span *last = out->num_owned > 0 ? &out->owned[out->num_owned - 1] : NULL;
    if (last != NULL && last->first + last->count == first) {
        last->count += count;
    } else if (count > 0) {
        out->owned[out->num_owned++] = (judo_zero3_span){first, count};
    }
}

/* Units with the padding behind them, which is zero; of a unit with frozen parameters those
 * that are not. */
static void find_owned(const judo_zero3 *zero3, judo_zero3_runs *out)
{
    const judo_shard_map *map = &zero3->map;
    for (int u = 0; u < map->layout->num_units; u++) {
        const judo_unit *unit = &map->layout->units[u];
        if (map->trainable_position[u] < 0) {
            continue;
        }
        if (!has_frozen(map->layout, unit)) {
            const int64_t part = judo_shard_part(map, u);
            add_gradients(out, gradient_index(zero3, u, part * map->replica), part);
            continue;
        }
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            const judo_shard_range range = judo_shard_owned(map, p);
            add_gradients(out, gradient_index(zero3, u, range.at),
                          range.frozen ? 0 : range.count);
        }
    }
}

judo_status judo_zero3_runs_create(judo_zero3 *zero3)
{
    const size_t units = (size_t)zero3->map.layout->num_units + 1;
    const size_t params = (size_t)zero3->map.layout->num_params + 1;
    judo_zero3_runs *runs = &zero3->runs;
    if (zero3->options.frozen) {
        return JUDO_OK;
    }
    runs->runs = calloc(units, sizeof *runs->runs);
    runs->segments = calloc(params, sizeof *runs->segments);
    runs->owned = calloc(units + params, sizeof *runs->owned);
    if (!runs->runs || !runs->segments || !runs->owned) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the runs of %zu parameters", params);
    }
    find_runs(zero3, runs);
    find_owned(zero3, runs);
    return JUDO_OK;
}

void judo_zero3_runs_destroy(judo_zero3_runs *runs)
{
    free(runs->runs);
    free(runs->segments);
    free(runs->owned);
    *runs = (judo_zero3_runs){0};
}
