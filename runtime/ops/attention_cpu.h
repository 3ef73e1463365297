/* runtime/ops/attention_cpu.h: the one inner kernel behind attention forward and decode on the
 * CPU, a streaming softmax (Milakov and Gimelshein 2018; Dao et al. 2022) over blocks of keys.
 * What is computed for a query depends on its own keys only: blocks start at the start of each
 * run of keys, and every sum has one fixed order.
 *
 * In BF16 two neighbouring terms of a sum make a word (judo_vector_pairs), so that one
 * instruction multiplies both: two dimensions where queries meet keys, two keys where weights
 * meet values. Words are kept in float memory. Scores, sums and outputs on the way are fp32. */
#ifndef JUDO_RUNTIME_OPS_ATTENTION_CPU_H
#define JUDO_RUNTIME_OPS_ATTENTION_CPU_H

#include "runtime/ops/arguments.h"

enum {
    JUDO_ATTENTION_KEYS = 64, /* keys of a block */
    JUDO_ATTENTION_ROWS =
        JUDO_ATTENTION_GROUP, /* most queries (token, head) that share a pass over keys */
};

/* One thread's state of a pass: `rows` queries of one key head. */
typedef struct judo_attention_tile {
    judo_dtype dtype; /* of queries, keys, values and outputs in memory */
    int dim;
    int terms;        /* of a score: dim, or the words that hold as many */
    float scale;      /* of the scores, where the queries are not scaled (BF16) */
    float *queries;   /* [ROWS, terms]; scaled (F32) */
    float *keys;      /* [terms, KEYS], a block, transposed */
    float *values;    /* [KEYS / 2, dim], the words of a block (BF16) */
    float *scores;    /* [ROWS, KEYS]; then weights, or KEYS / 2 words of them */
    float *out;       /* [ROWS, dim], not yet divided by sum */
    float *max, *sum; /* [ROWS] */
} judo_attention_tile;

/* Floats of memory that a tile needs, a multiple of 16; and the tile in that memory. */
int64_t judo_attention_tile_floats(int dim);
judo_attention_tile judo_attention_tile_at(float *memory, judo_dtype dtype, int dim,
                                           float scale);

/* Makes row `row` the query at `query`, with nothing seen. */
void judo_attention_tile_load(judo_attention_tile *tile, int row, const void *query);
/* Rows [first, last) see the keys of a run: row r the first visible[r] of them (not falling
 * with r), or all `count` where `visible` is NULL. Keys and values are `stride` elements apart.
 */
void judo_attention_tile_see(judo_attention_tile *tile, int first, int last, const void *keys,
                             const void *values, int64_t stride, int64_t count,
                             const int64_t *visible);
/* out[dim] and the log of the sum of exponentials (not stored where `lse` is NULL). A row that
 * saw nothing is 0 and minus infinity. */
void judo_attention_tile_store(const judo_attention_tile *tile, int row, void *out, float *lse);

/* --- how operands lie (attention_pack_cpu.c); rows in memory are `stride` elements apart ---
 */

/* Terms of a sum over `count` elements: words of two in BF16. */
static inline int judo_attention_terms(judo_dtype dtype, int count)
{
    return dtype == JUDO_BF16 ? (count + 1) / 2 : count;
}

/* out[terms of dim][KEYS] = the first `count` <= KEYS of `rows`, transposed, then zeros. */
void judo_attention_transpose(float *out, const void *rows, judo_dtype dtype, int64_t stride,
                              int count, int dim);
/* out[terms of dim] = one row. */
void judo_attention_copy(float *out, const void *row, judo_dtype dtype, int dim);
/* out[(count + 1) / 2][dim]: words of rows 2i and 2i + 1, or of the last row and zeros. */
void judo_attention_join(float *out, const void *rows, int64_t stride, int count, int dim);

#endif
