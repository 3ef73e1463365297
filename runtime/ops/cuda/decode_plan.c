/* runtime/ops/cuda/decode_plan.c: see decode_plan.h. */
#include "runtime/ops/cuda/decode_plan.h"

#include <stdbool.h>
#include <stddef.h>

int32_t judo_decode_part_keys(int32_t length, int32_t least)
{
    int64_t keys = least;
    while (keys * JUDO_DECODE_PARTS < length) {
        keys *= 2;
    }
    return (int32_t)keys;
}

int32_t judo_decode_num_parts(int32_t length, int32_t least)
{
    int64_t keys = judo_decode_part_keys(length, least);
    return (int32_t)((length + keys - 1) / keys);
}

static bool same_prefix(const judo_decode_row *a, const judo_decode_row *b)
{
    return a->prefix_length == b->prefix_length && a->prefix_keys == b->prefix_keys &&
           a->prefix_values == b->prefix_values;
}

/* Items of rows [first, last), which share a prefix: as few as hold them, alike in size; those
 * that read the same keys follow each other. */
static int64_t add_items(judo_decode_item *items, int64_t count, int64_t first, int64_t last,
                         int32_t parts, int32_t most)
{
    int64_t pieces = (last - first + most - 1) / most;
    for (int32_t part = 0; part < parts; part++) {
        for (int64_t i = 0; i < pieces; i++) {
            int64_t begin = first + (last - first) * i / pieces;
            int64_t end = first + (last - first) * (i + 1) / pieces;
            if (items) {
                items[count] = (judo_decode_item){(int32_t)begin, (int32_t)(end - begin), part};
            }
            count++;
        }
    }
    return count;
}

judo_decode_plan judo_decode_plan_of(judo_decode_item *items, const judo_decode_row *rows,
                                     int64_t num_rows, int32_t most)
{
    judo_decode_plan plan = {0, 0, JUDO_DECODE_OWN_PARTS};
    for (int64_t first = 0, next = 0; first < num_rows; first = next) {
        for (next = first; next < num_rows && same_prefix(&rows[first], &rows[next]); next++) {
            int32_t own = judo_decode_num_parts(rows[next].own_length, JUDO_DECODE_OWN);
            while (plan.own_parts < own) {
                plan.own_parts *= 2;
            }
        }
        int32_t parts = judo_decode_num_parts(rows[first].prefix_length, JUDO_DECODE_PREFIX);
        plan.prefix_parts = parts > plan.prefix_parts ? parts : plan.prefix_parts;
        plan.items = add_items(items, plan.items, first, next, parts, most);
    }
    return plan;
}

int64_t judo_decode_part_floats(int64_t rows, int64_t heads, int64_t dim)
{
    const int64_t widths[] = {64, 80, 128}; /* of the kernels */
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        if (dim <= widths[i]) {
            return rows * heads * 2 * JUDO_DECODE_PARTS * (widths[i] + 2);
        }
    }
    return 0;
}
