/* parallel/zero3_tree.c: a step's gradients summed as a binary tree over its passes.
 *
 * Pass p of a step is run by rank p % size, so that the pairs, fours, .. at the bottom of the
 * tree are sums over ranks (judo_reduction.pairwise), and those above them sums of what each
 * rank owns over its own passes. A power of two of ranks moves the border between the two, not
 * the tree. Sums of 1, 2, 4, .. passes wait for their other halves: a counter in base two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/zero3_state.h"
#include "runtime/memory.h"

enum { MOST_RANKS = 64 };

static int parts_of(const judo_zero3 *zero3, int unit)
{
    int parts = zero3->map.layout->units[unit].gradient_parts;
    return parts > 1 ? parts : 1;
}

judo_status judo_zero3_tree_check(const judo_zero3_options *options, int num_ranks,
                                  int group_size)
{
    if (options->deterministic_passes == 0 || num_ranks == 1) {
        return JUDO_OK;
    }
    if ((num_ranks & (num_ranks - 1)) != 0 || num_ranks > MOST_RANKS) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "sums that no number of ranks changes are for 1, 2, 4, .. %d ranks, not "
            "for %d",
            MOST_RANKS, num_ranks);
    }
    if (group_size != num_ranks || options->whole_gradients ||
        options->gradient_dtype != JUDO_F32) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "sums that no number of ranks changes need gradients that all ranks "
                         "sum behind each pass, in fp32: ZeRO stage 2 or 3 without groups");
    }
    return JUDO_OK;
}

/* Elements of a level, and where in it the units lie. */
static int64_t place_units(const judo_shard_map *map, int64_t *position)
{
    int64_t count = 0;
    for (int u = 0; u < map->layout->num_units; u++) {
        int parts = map->layout->units[u].gradient_parts;
        if (position != NULL) {
            position[u] = count;
        }
        count += map->trainable_position[u] < 0 ? 0 : map->slice[u] * (parts > 1 ? parts : 1);
    }
    return count;
}

static int num_levels(int64_t passes)
{
    int levels = 0;
    while (passes >> levels > 0) {
        levels++;
    }
    return levels;
}

static int64_t largest_slice(const judo_shard_map *map)
{
    int64_t most = 0;
    for (int u = 0; u < map->layout->num_units; u++) {
        most = map->slice[u] > most ? map->slice[u] : most;
    }
    return most;
}

int64_t judo_zero3_tree_bytes(const judo_shard_map *map, const judo_zero3_options *options)
{
    int levels = options->frozen ? 0 : num_levels(options->deterministic_passes);
    return levels == 0 ? 0
                       : (levels * place_units(map, NULL) + largest_slice(map)) *
                             (int64_t)sizeof(float);
}

judo_status judo_zero3_tree_create(judo_zero3 *zero3)
{
    judo_zero3_tree *tree = &zero3->tree;
    size_t units = (size_t)zero3->map.layout->num_units + 1;
    int64_t bytes = judo_zero3_tree_bytes(&zero3->map, &zero3->options);
    *tree = (judo_zero3_tree){.arriving = -1};
    if (bytes == 0) {
        return JUDO_OK;
    }
    if (zero3->device->separate) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "sums that no number of ranks changes are built for gradients in host "
                         "memory, not on '%s'",
                         zero3->device->name);
    }
    tree->arrived = judo_memory_take((size_t)bytes);
    tree->position = calloc(units, sizeof *tree->position);
    tree->num_added = calloc(units, sizeof *tree->num_added);
    if (!tree->arrived || !tree->position || !tree->num_added) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for sums of passes: %lld bytes",
                         (long long)bytes);
    }
    memset(tree->arrived, 0, (size_t)bytes);
    tree->levels = tree->arrived + largest_slice(&zero3->map);
    tree->num_levels = num_levels(zero3->options.deterministic_passes);
    tree->count = place_units(&zero3->map, tree->position);
    return JUDO_OK;
}

void judo_zero3_tree_destroy(judo_zero3_tree *tree)
{
    free(tree->arrived);
    free(tree->position);
    free(tree->num_added);
    *tree = (judo_zero3_tree){.arriving = -1};
}

void judo_zero3_tree_forget(judo_zero3 *zero3)
{
    if (zero3->tree.num_levels > 0) {
        memset(zero3->tree.num_added, 0,
               (size_t)zero3->map.layout->num_units * sizeof *zero3->tree.num_added);
    }
}

static float *level_of(const judo_zero3 *zero3, int level, int unit, int part)
{
    const judo_zero3_tree *tree = &zero3->tree;
    return tree->levels + level * tree->count + tree->position[unit] +
           part * zero3->map.slice[unit];
}

/* sum = earlier + sum */
static void add(float *sum, const float *earlier, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        sum[i] = earlier[i] + sum[i];
    }
}

judo_status judo_zero3_tree_take(judo_zero3 *zero3)
{
    judo_zero3_tree *tree = &zero3->tree;
    const int unit = tree->arriving;
    if (tree->num_levels == 0 || unit < 0) {
        return JUDO_OK;
    }
    tree->arriving = -1;
    int parts = parts_of(zero3, unit);
    int part = (int)(tree->num_added[unit] % parts);
    int64_t pass = tree->num_added[unit] / parts;
    int64_t count = zero3->map.slice[unit];
    int level = 0;
    if (pass >= zero3->options.deterministic_passes) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "unit %s: a gradient of pass %lld of %lld",
                         zero3->map.layout->units[unit].name, (long long)pass,
                         (long long)zero3->options.deterministic_passes);
    }
    for (; (pass >> level & 1) != 0; level++) {
        add(tree->arrived, level_of(zero3, level, unit, part), count);
    }
    memcpy(level_of(zero3, level, unit, part), tree->arrived, (size_t)count * sizeof(float));
    tree->num_added[unit]++;
    return JUDO_OK;
}

judo_status judo_zero3_tree_sum(judo_zero3 *zero3, int unit, float *values)
{
    judo_zero3_tree *tree = &zero3->tree;
    int64_t slice = zero3->map.slice[unit];
    if (zero3->map.size == 1) {
        memcpy(tree->arrived, values, (size_t)slice * sizeof *values);
        tree->arriving = unit;
        return judo_zero3_tree_take(zero3);
    }
    judo_reduction reduction = {
        .shard = tree->arrived, .values = values, .slice = slice, .pairwise = true};
    tree->arriving = unit;
    judo_comm_set_unit(zero3->group_exchange, zero3->map.layout->units[unit].name);
    return judo_comm_reduce_scatter_start(zero3->group_exchange, &reduction);
}

/* The sum of a part's levels, in `arrived`; those that stand are the digits of `passes`. */
static void fold_levels(judo_zero3 *zero3, int unit, int part, int64_t passes)
{
    judo_zero3_tree *tree = &zero3->tree;
    int64_t count = zero3->map.slice[unit];
    bool begun = false;
    for (int level = 0; level < tree->num_levels; level++) {
        const float *sum = level_of(zero3, level, unit, part);
        if ((passes >> level & 1) == 0) {
            continue;
        }
        if (begun) {
            add(tree->arrived, sum, count);
        } else {
            memcpy(tree->arrived, sum, (size_t)count * sizeof *sum);
            begun = true;
        }
    }
}

void judo_zero3_tree_collect(judo_zero3 *zero3)
{
    judo_zero3_tree *tree = &zero3->tree;
    for (int u = 0; tree->num_levels > 0 && u < zero3->map.layout->num_units; u++) {
        int parts = parts_of(zero3, u);
        for (int part = 0; part < parts && tree->num_added[u] > 0; part++) {
            float *shard = judo_zero3_gradient_at(zero3, u, 0);
            fold_levels(zero3, u, part, tree->num_added[u] / parts);
            add(shard, tree->arrived, zero3->map.slice[u]);
        }
        tree->num_added[u] = 0;
    }
}

static double largest_owned(const judo_zero3 *zero3)
{
    double most = 0;
    for (int p = 0; p < zero3->map.layout->num_params; p++) {
        judo_shard_range range = judo_shard_owned(&zero3->map, p);
        const float *values =
            range.frozen ? NULL : judo_zero3_gradient_at(zero3, range.unit, range.at);
        for (int64_t i = 0; i < range.count && values != NULL; i++) {
            double value = fabs((double)values[i]);
            most = value <= most ? most : value; /* a NaN stays */
        }
    }
    return most;
}

/* Squares of values below 1, each cut to 62 bits behind the point: whole numbers, of which any
 * order has the same sum. sums[0] counts 2^-31, sums[1] 2^-62; good for 2^32 values. */
static void owned_squares(const judo_zero3 *zero3, double scale, int64_t sums[2])
{
    for (int p = 0; p < zero3->map.layout->num_params; p++) {
        judo_shard_range range = judo_shard_owned(&zero3->map, p);
        const float *values =
            range.frozen ? NULL : judo_zero3_gradient_at(zero3, range.unit, range.at);
        for (int64_t i = 0; i < range.count && values != NULL; i++) {
            double value = (double)values[i] * scale;
            double square = value * value * 0x1p31;
            int64_t high = (int64_t)square;
            sums[0] += high;
            sums[1] += (int64_t)((square - (double)high) * 0x1p31);
        }
    }
}

judo_status judo_zero3_tree_norm(judo_zero3 *zero3, double *norm)
{
    double most = largest_owned(zero3);
    int64_t sums[2] = {0};
    int exponent = 0;
    JUDO_TRY(judo_comm_max_f64(zero3->comm, &most, 1));
    if (!isfinite(most) || most == 0) {
        *norm = most;
        return JUDO_OK;
    }
    (void)frexp(most, &exponent);
    owned_squares(zero3, ldexp(1, -exponent), sums);
    JUDO_TRY(judo_comm_sum_i64(zero3->comm, sums, 2));
    *norm = ldexp(sqrt((double)sums[0] * 0x1p-31 + (double)sums[1] * 0x1p-62), exponent);
    return JUDO_OK;
}
