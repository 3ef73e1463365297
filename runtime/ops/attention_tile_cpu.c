/* runtime/ops/attention_tile_cpu.c: the inner kernel of attention; see attention_cpu.h. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

enum { KEYS = JUDO_ATTENTION_KEYS, ROWS = JUDO_ATTENTION_ROWS, JOINT = 6 };

static int64_t rounded(int64_t count)
{
    return (count + JUDO_LANES - 1) / JUDO_LANES * JUDO_LANES;
}

int64_t judo_attention_tile_floats(int dim)
{
    return 3 * rounded((int64_t)ROWS * dim) + (int64_t)KEYS * dim + ROWS * KEYS + 2 * ROWS;
}

judo_attention_tile judo_attention_tile_at(float *memory, judo_dtype dtype, int dim,
                                           float scale)
{
    judo_attention_tile tile = {.dtype = dtype, .dim = dim, .scale = scale};
    tile.terms = judo_attention_terms(dtype, dim);
    tile.keys = memory;
    tile.scores = tile.keys + (int64_t)KEYS * dim;
    tile.max = tile.scores + ROWS * KEYS;
    tile.sum = tile.max + ROWS;
    tile.queries = tile.sum + ROWS;
    tile.out = tile.queries + rounded((int64_t)ROWS * dim);
    tile.values = tile.out + rounded((int64_t)ROWS * dim);
    return tile;
}

void judo_attention_tile_load(judo_attention_tile *tile, int row, const void *query)
{
    float *to = tile->queries + (int64_t)row * tile->terms;
    judo_attention_copy(to, query, tile->dtype, tile->dim);
    for (int d = 0; tile->dtype == JUDO_F32 && d < tile->dim; d++) {
        to[d] *= tile->scale;
    }
    memset(tile->out + (int64_t)row * tile->dim, 0, (size_t)tile->dim * sizeof *tile->out);
    tile->max[row] = -INFINITY;
    tile->sum[row] = 0.0f;
}

/* Turns `count` scores of a row into weights, pairs of them into words for BF16, and rescales
 * what the row has gathered so far. */
JUDO_INLINE void row_softmax(judo_attention_tile *tile, int row, int64_t count,
                             judo_dtype dtype)
{
    float *scores = tile->scores + (int64_t)row * KEYS;
    float old_max = tile->max[row];
    judo_vector highest = judo_vector_all(old_max);
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector score = judo_vector_load(scores + i, JUDO_LANES);
        score = dtype == JUDO_BF16 ? score * judo_vector_all(tile->scale) : score;
        if (count - i < JUDO_LANES) {
            score = judo_vector_select(judo_vector_lanes_before(count - i), score,
                                       judo_vector_all(-INFINITY));
        }
        judo_vector_store(scores + i, score, JUDO_LANES);
        highest = judo_vector_max(score, highest);
    }
    float max = judo_vector_highest(highest);
    judo_vector lanes = {0};
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector weight =
            judo_vector_exp(judo_vector_load(scores + i, JUDO_LANES) - judo_vector_all(max));
        if (dtype == JUDO_BF16) { /* two to a word, where scores were read before */
            judo_vector_halves terms = judo_vector_terms(weight);
            memcpy(scores + i / 2, &terms, sizeof terms);
        } else {
            judo_vector_store(scores + i, weight, JUDO_LANES);
        }
        lanes += weight;
    }
    float sum = judo_vector_sum(lanes);
    if (max > old_max) {
        float keep = judo_exp(old_max - max);
        float *out = tile->out + (int64_t)row * tile->dim;
        for (int d = 0; d < tile->dim; d++) {
            out[d] *= keep;
        }
        tile->sum[row] *= keep;
        tile->max[row] = max;
    }
    tile->sum[row] += sum;
}

/* The values of a block, as memory has them and as products take them. */
typedef struct value_block {
    const void *rows;
    int64_t stride;
    const float *terms; /* the rows themselves, or words of two of them (BF16) */
    int64_t terms_apart;
} value_block;

static value_block open_values(judo_attention_tile *tile, const void *rows, int64_t stride,
                               int count)
{
    if (tile->dtype == JUDO_F32) {
        return (value_block){rows, stride, rows, stride};
    }
    judo_attention_join(tile->values, rows, stride, count, tile->dim);
    return (value_block){rows, stride, tile->values, tile->dim};
}

/* out += the last, odd one of `count` keys of a BF16 row: its word holds a key that the row
 * does not see. */
static void add_last_value(judo_attention_tile *tile, int row, const value_block *values,
                           int count)
{
    const uint16_t *weights = (const void *)(tile->scores + (int64_t)row * KEYS);
    const uint16_t *value = (const uint16_t *)values->rows + (count - 1) * values->stride;
    judo_vector weight = judo_vector_all(judo_vector_load_bf16(weights + count - 1, 1)[0]);
    float *out = tile->out + (int64_t)row * tile->dim;
    for (int d = 0; d < tile->dim; d += JUDO_LANES) {
        int left = tile->dim - d;
        judo_vector sum = judo_vector_fma(weight, judo_vector_load_bf16(value + d, left),
                                          judo_vector_load(out + d, left));
        judo_vector_store(out + d, sum, left);
    }
}

/* out += weights x values for rows [first, last); counts[r] keys for row r, not falling. Rows
 * go together as far as all of them see the keys. */
static void add_values(judo_attention_tile *tile, int first, int last,
                       const value_block *values, const int *counts)
{
    int dim = tile->dim;
    int per_term = tile->dtype == JUDO_BF16 ? 2 : 1;
    while (first < last) {
        int common = counts[first] / per_term;
        int end = first + 1;
        while (end < last && (counts[end] == counts[first] || end - first < JOINT)) {
            end++;
        }
        judo_cpu_small_gemm(tile->out + (int64_t)first * dim, dim,
                            tile->scores + (int64_t)first * KEYS, KEYS, 1, values->terms,
                            values->terms_apart, end - first, dim, common, true, tile->dtype);
        for (int row = first; row < end; row++) {
            int terms = counts[row] / per_term;
            if (terms > common) {
                judo_cpu_small_gemm(tile->out + (int64_t)row * dim, dim,
                                    tile->scores + (int64_t)row * KEYS + common, KEYS, 1,
                                    values->terms + common * values->terms_apart,
                                    values->terms_apart, 1, dim, terms - common, true,
                                    tile->dtype);
            }
            if (terms * per_term < counts[row]) {
                add_last_value(tile, row, values, counts[row]);
            }
        }
        first = end;
    }
}

void judo_attention_tile_see(judo_attention_tile *tile, int first, int last, const void *keys,
                             const void *values, int64_t stride, int64_t count,
                             const int64_t *visible)
{
    int counts[ROWS];
    for (int64_t start = 0; start < count; start += KEYS) {
        int present = (int)(count - start < KEYS ? count - start : KEYS);
        for (int row = first; row < last; row++) {
            int64_t seen = visible ? visible[row] - start : present;
            counts[row] = (int)(seen < 0 ? 0 : seen > present ? present : seen);
        }
        while (first < last && counts[first] == 0) {
            first++; /* this row and the ones before have seen all their keys */
        }
        judo_attention_transpose(tile->keys, judo_cpu_at(keys, tile->dtype, start * stride),
                                 tile->dtype, stride, present, tile->dim);
        judo_cpu_small_gemm(tile->scores + (int64_t)first * KEYS, KEYS,
                            tile->queries + (int64_t)first * tile->terms, tile->terms, 1,
                            tile->keys, KEYS, last - first, (int)rounded(present), tile->terms,
                            false, tile->dtype);
        for (int row = first; row < last; row++) {
            JUDO_FOR_DTYPE(tile->dtype, row_softmax, tile, row, counts[row]);
        }
        value_block block = open_values(tile, judo_cpu_at(values, tile->dtype, start * stride),
                                        stride, present);
        add_values(tile, first, last, &block, counts);
    }
}

JUDO_INLINE void store_out(void *out, const float *sums, float factor, int dim,
                           judo_dtype dtype)
{
    for (int d = 0; d < dim; d += JUDO_LANES) {
        judo_vector v = judo_vector_load(sums + d, dim - d) * judo_vector_all(factor);
        judo_vector_write(out, dtype, d, v, dim - d);
    }
}

void judo_attention_tile_store(const judo_attention_tile *tile, int row, void *out, float *lse)
{
    float sum = tile->sum[row];
    float factor = sum == 0.0f ? 0.0f : 1.0f / sum;
    JUDO_FOR_DTYPE(tile->dtype, store_out, out, tile->out + (int64_t)row * tile->dim, factor,
                   tile->dim);
    if (lse) {
        *lse = tile->max[row] + logf(sum);
    }
}
