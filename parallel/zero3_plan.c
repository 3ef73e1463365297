/* parallel/zero3_plan.c: what each rank stores, where, and how many bytes that takes. */
#include <stdlib.h>

#include "parallel/zero3_state.h"

judo_zero3_options judo_zero3_stage(int stage)
{
    return (judo_zero3_options){.group_size = stage == 0 ? 1 : 0,
                                .whole_weights = stage < 3,
                                .whole_gradients = stage < 2};
}

judo_status judo_zero3_options_check(const judo_zero3_options *options)
{
    const judo_dtype dtypes[] = {options->compute_dtype, options->gradient_dtype,
                                 options->gradient_storage};
    for (int i = 0; i < 3; i++) {
        if (dtypes[i] != JUDO_F32 && dtypes[i] != JUDO_BF16) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s in %s: F32 and BF16 are built",
                             i == 0 ? "weights" : "gradients", judo_dtype_name(dtypes[i]));
        }
    }
    if (options->gradient_storage != JUDO_F32 && options->deterministic_passes > 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "gradients kept in %s and sums that no number of ranks changes: those "
                         "are kept in fp32, a sum for each power of two of passes",
                         judo_dtype_name(options->gradient_storage));
    }
    if (options->prefetch < 0 || options->prefetch > JUDO_MAX_PREFETCH) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%d units fetched ahead: up to %d are possible",
                         options->prefetch, JUDO_MAX_PREFETCH);
    }
    if (options->split_master && options->compute_dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "split master weights beside compute weights in %s: only a bf16 "
                         "number is half of an fp32 one",
                         judo_dtype_name(options->compute_dtype));
    }
    if (options->split_master && options->offload) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "split master weights and an offloaded optimizer: the CPU updates "
                         "fp32 weights in host memory, nothing of them is on the device");
    }
    return JUDO_OK;
}

bool judo_zero3_has_halves(const judo_zero3_options *options)
{
    return options->split_master && !options->frozen;
}

bool judo_zero3_has_master(const judo_zero3_options *options)
{
    return !options->frozen && !options->split_master &&
           (options->compute_dtype != JUDO_F32 || options->offload);
}

static bool unit_is_whole(const judo_shard_map *map, const judo_zero3_options *options,
                          int unit)
{
    return map->size == 1 || options->whole_weights ||
           map->layout->units[unit].count < options->whole_below;
}

bool judo_zero3_gradients_are_whole(const judo_zero3_options *options, int size)
{
    return options->deterministic_passes == 0 && (size == 1 || options->whole_gradients);
}

bool judo_zero3_gradients_are_lent(const judo_zero3_options *options, int size)
{
    return options->gradient_storage == JUDO_F32 &&
           judo_zero3_gradients_are_whole(options, size);
}

static int compare_counts(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The largest units that are there at once, one in use and those ahead of it, and the smallest
 * (a tied head holds its norm beside the embedding while the next unit travels); or all. */
static int64_t room_needed(int64_t *counts, int num_counts, const judo_zero3_options *options)
{
    int64_t sum = 0;
    int at_once = options->prefetch > 1 && !options->no_prefetch ? 1 + options->prefetch : 2;
    qsort(counts, (size_t)num_counts, sizeof *counts, compare_counts);
    for (int i = 0; i < num_counts && i < at_once; i++) {
        sum += counts[i];
    }
    return num_counts > at_once ? sum + counts[num_counts - 1] : sum;
}

judo_status judo_zero3_places_create(const judo_shard_map *map,
                                     const judo_zero3_options *options, judo_zero3_places *out)
{
    const int num_units = map->layout->num_units;
    size_t units = (size_t)num_units + 1;
    int64_t *counts = calloc(units, sizeof *counts);
    judo_zero3_places places = {.own = calloc(units, sizeof *places.own),
                                .whole = calloc(units, sizeof *places.whole)};
    if (counts == NULL || places.own == NULL || places.whole == NULL) {
        free(counts);
        judo_zero3_places_destroy(&places);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the places of %d units", num_units);
    }
    int num_counts = 0;
    for (int u = 0; u < num_units; u++) {
        bool whole = unit_is_whole(map, options, u);
        places.whole[u] = whole ? places.count : -1;
        places.own[u] = places.count + (whole ? map->rank * map->slice[u] : 0);
        places.count += whole ? judo_shard_padded_count(map, u) : map->slice[u];
        if (!whole) {
            counts[num_counts++] = judo_shard_padded_count(map, u);
        }
    }
    places.room_first = places.count;
    places.room_count = room_needed(counts, num_counts, options);
    places.count += places.room_count;
    free(counts);
    *out = places;
    return JUDO_OK;
}

void judo_zero3_places_destroy(judo_zero3_places *places)
{
    free(places->own);
    free(places->whole);
    *places = (judo_zero3_places){0};
}

/* Elements of gradients that are whole and in fp32 for a while: the largest trainable unit's,
 * and beside it the second one's while a sum over ranks is under way. */
static int64_t gradient_room(const judo_shard_map *map, const judo_zero3_options *options)
{
    int64_t largest = 0;
    int64_t second = 0;
    if (judo_zero3_gradients_are_lent(options, map->size)) {
        return 0;
    }
    for (int u = 0; u < map->layout->num_units; u++) {
        int64_t count = map->trainable_position[u] >= 0 ? judo_shard_padded_count(map, u) : 0;
        if (count > largest) {
            second = largest;
            largest = count;
        } else if (count > second) {
            second = count;
        }
    }
    bool waits = options->no_overlap || judo_zero3_gradients_are_whole(options, map->size);
    return largest + (waits ? 0 : second);
}

/* Of one weight, beside what is lent where that is another copy. */
static int64_t kept_weight_bytes(const judo_zero3_options *options)
{
    if (judo_zero3_has_halves(options)) {
        return sizeof(uint16_t);
    }
    return options->compute_dtype == JUDO_F32 || judo_zero3_has_master(options) ? sizeof(float)
                                                                                : 0;
}

judo_zero3_bytes judo_zero3_bytes_of(const judo_shard_map *map, const judo_zero3_places *places,
                                     const judo_zero3_options *options)
{
    const int64_t element = sizeof(float);
    const int64_t compute = judo_dtype_bytes(options->compute_dtype);
    const bool is_f32 = options->compute_dtype == JUDO_F32;
    const bool has_master = judo_zero3_has_master(options);
    judo_zero3_bytes bytes = {.weights = map->total * kept_weight_bytes(options),
                              .compute = is_f32 && !has_master ? 0 : map->total * compute,
                              .gathered = (places->count - map->total) * compute};
    if (!options->frozen) {
        bool whole = judo_zero3_gradients_are_whole(options, map->size);
        bytes.gradients = map->trainable_total * (whole ? map->size : 1) *
                          judo_dtype_bytes(options->gradient_storage);
        bytes.moments = 2 * map->trainable_total * element;
        bytes.gradient_buffer = gradient_room(map, options) * element;
        bytes.tree = judo_zero3_tree_bytes(map, options);
    }
    bytes.total = bytes.weights + bytes.compute + bytes.gradients + bytes.moments +
                  bytes.gathered + bytes.gradient_buffer + bytes.tree;
    if (places->room_count > 0) { /* else every unit is whole */
        bytes.resident = judo_local_params_bytes(map->layout, options->compute_dtype, false);
    }
    if (options->offload && !options->frozen) {
        bytes.total -= bytes.weights + bytes.moments;
        bytes.offloaded = bytes.weights + bytes.moments + judo_zero3_offload_bytes(options);
    }
    return bytes;
}

/* The map and the places of the first of `num_ranks` ranks. */
static judo_status plan_places(const judo_param_layout *layout, int num_ranks,
                               const judo_zero3_options *options, judo_shard_map *map,
                               judo_zero3_places *places)
{
    int size = options->group_size == 0 ? num_ranks : options->group_size;
    JUDO_TRY(judo_zero3_options_check(options));
    if (size < 1 || num_ranks % size != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%d ranks do not fill groups of %d", num_ranks,
                         size);
    }
    JUDO_TRY(judo_shard_map_create(map, layout, 0, size, 0, num_ranks / size));
    judo_status status = judo_zero3_places_create(map, options, places);
    if (status != JUDO_OK) {
        judo_shard_map_destroy(map);
    }
    return status;
}

judo_status judo_zero3_plan(const judo_param_layout *layout, int num_ranks,
                            const judo_zero3_options *options, judo_zero3_bytes *out)
{
    judo_shard_map map;
    judo_zero3_places places;
    JUDO_TRY(plan_places(layout, num_ranks, options, &map, &places));
    *out = judo_zero3_bytes_of(&map, &places, options);
    judo_zero3_places_destroy(&places);
    judo_shard_map_destroy(&map);
    return JUDO_OK;
}
