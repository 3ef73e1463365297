/* runtime/ops/cuda/decode_plan.h: the rows of a decode step as the work of thread blocks: runs
 * of keys are cut into parts, and rows that share a prefix see its parts together. Host code.
 * (Dao et al. 2023, Flash-Decoding; Juravsky et al. 2024, Hydragen; Ye et al. 2024, cascade
 * inference.) */
#ifndef JUDO_RUNTIME_OPS_CUDA_DECODE_PLAN_H
#define JUDO_RUNTIME_OPS_CUDA_DECODE_PLAN_H

#include <stdint.h>

#include "runtime/ops/attention.h"

enum {
    JUDO_DECODE_PARTS = 16,   /* of a run at most: longer ones have longer parts */
    JUDO_DECODE_PREFIX = 256, /* keys of a part at least, powers of two; a result for each of */
    JUDO_DECODE_OWN = 128,    /* the rows that share a prefix is worth more keys */
    JUDO_DECODE_OWN_PARTS = 2, /* that a launch has room for at least */
};

/* Rows [first, first + count), which share their prefix, and a part of it. */
typedef struct judo_decode_item {
    int32_t first, count, part;
} judo_decode_item;

typedef struct judo_decode_plan {
    int64_t items;
    /* Parts of the longest prefix; of the longest own run, a power of two, so that what is
     * launched changes only now and then while rows grow. */
    int32_t prefix_parts, own_parts;
} judo_decode_plan;

/* Keys of each part of a run but the last: a function of its length alone, so that a row's
 * sums do not depend on the other rows. `least`: JUDO_DECODE_PREFIX or JUDO_DECODE_OWN. */
int32_t judo_decode_part_keys(int32_t length, int32_t least);
/* 0 for a run without keys. */
int32_t judo_decode_num_parts(int32_t length, int32_t least);

/* The plan of some rows, of which up to `most` go into an item. `items` may be NULL: they are
 * only counted. */
judo_decode_plan judo_decode_plan_of(judo_decode_item *items, const judo_decode_row *rows,
                                     int64_t num_rows, int32_t most);

/* Numbers that the parts of `rows` rows leave behind at most; none for heads of more than 128
 * dimensions, whose keys are not cut. */
int64_t judo_decode_part_floats(int64_t rows, int64_t heads, int64_t dim);

#endif
