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
    return 2 * rounded((int64_t)ROWS * dim) + (int64_t)2 * KEYS * dim + ROWS * KEYS + 2 * ROWS;
}

judo_attention_tile judo_attention_tile_at(float *memory, judo_dtype dtype, int dim)
{
    judo_attention_tile tile = {.dtype = dtype, .dim = dim};
    tile.keys = memory;
    tile.values = tile.keys + (int64_t)KEYS * dim;
    tile.scores = tile.values + (int64_t)KEYS * dim;
    tile.max = tile.scores + ROWS * KEYS;
    tile.sum = tile.max + ROWS;
    tile.queries = tile.sum + ROWS;
    tile.out = tile.queries + rounded((int64_t)ROWS * dim);
    return tile;
}

JUDO_INLINE void load_query(float *out, const void *query, float scale, int dim,
                            judo_dtype dtype)
{
    for (int d = 0; d < dim; d += JUDO_LANES) {
        judo_vector v = judo_vector_read(query, dtype, d, dim - d) * judo_vector_all(scale);
        judo_vector_store(out + d, v, dim - d);
    }
}

void judo_attention_tile_load(judo_attention_tile *tile, int row, const void *query,
                              float scale)
{
    int64_t first = (int64_t)row * tile->dim;
    JUDO_FOR_DTYPE(tile->dtype, load_query, tile->queries + first, query, scale, tile->dim);
    memset(tile->out + first, 0, (size_t)tile->dim * sizeof *tile->out);
    tile->max[row] = -INFINITY;
    tile->sum[row] = 0.0f;
}

/* Swaps bit `SHIFT` of row and column numbers of a 16 x 16 block held in registers. */
#define EXCHANGE(SHIFT, LOW, HIGH)                                                             \
    for (int i = 0; i < JUDO_LANES; i++) {                                                     \
        if (!(i & (SHIFT))) {                                                                  \
            judo_vector a = block[i];                                                          \
            judo_vector b = block[i + (SHIFT)];                                                \
            block[i] = __builtin_shufflevector(a, b, LOW);                                     \
            block[i + (SHIFT)] = __builtin_shufflevector(a, b, HIGH);                          \
        }                                                                                      \
    }
#define LOW1  0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW2  0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW4  0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW8  0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

/* Rows of 16 elements from element `first` of `rows`. */
JUDO_INLINE void transpose_16(float *out, const void *rows, int64_t first, int64_t stride,
                              int count, judo_dtype dtype)
{
    judo_vector block[JUDO_LANES];
    for (int i = 0; i < JUDO_LANES; i++) {
        block[i] = i < count ? judo_vector_read(rows, dtype, first + i * stride, JUDO_LANES)
                             : judo_vector_all(0.0f);
    }
#pragma GCC unroll 16
    EXCHANGE(1, LOW1, HIGH1)
#pragma GCC unroll 16
    EXCHANGE(2, LOW2, HIGH2)
#pragma GCC unroll 16
    EXCHANGE(4, LOW4, HIGH4)
#pragma GCC unroll 16
    EXCHANGE(8, LOW8, HIGH8)
    for (int i = 0; i < JUDO_LANES; i++) {
        judo_vector_store(out + (int64_t)i * KEYS, block[i], JUDO_LANES);
    }
}

JUDO_INLINE void transpose_rows(float *out, const void *rows, int64_t stride, int count,
                                int dim, judo_dtype dtype)
{
    for (int first = 0; first < KEYS; first += JUDO_LANES) {
        int present = count - first;
        int d = 0;
        for (; d + JUDO_LANES <= dim; d += JUDO_LANES) {
            transpose_16(out + (int64_t)d * KEYS + first, rows, first * stride + d, stride,
                         present, dtype);
        }
        for (; d < dim; d++) {
            for (int i = 0; i < JUDO_LANES; i++) {
                float *to = out + (int64_t)d * KEYS + first + i;
                int64_t from = (first + i) * stride + d;
                *to = i < present ? judo_vector_read(rows, dtype, from, 1)[0] : 0.0f;
            }
        }
    }
}

void judo_attention_transpose(float *out, const void *rows, judo_dtype dtype, int64_t stride,
                              int count, int dim)
{
    JUDO_FOR_DTYPE(dtype, transpose_rows, out, rows, stride, count, dim);
}

const float *judo_attention_rows(float *buffer, const void *rows, judo_dtype dtype,
                                 int64_t *stride, int count, int dim)
{
    if (dtype == JUDO_F32) {
        return rows;
    }
    for (int i = 0; i < count; i++) {
        judo_vector_convert(buffer + (int64_t)i * dim, JUDO_F32,
                            (const uint16_t *)rows + i * *stride, JUDO_BF16, dim);
    }
    *stride = dim;
    return buffer;
}

/* Turns `count` scores of a row into weights and rescales what the row has gathered so far. */
static void row_softmax(judo_attention_tile *tile, int row, int64_t count)
{
    float *scores = tile->scores + (int64_t)row * KEYS;
    int64_t padded = rounded(count);
    for (int64_t i = count; i < padded; i++) {
        scores[i] = -INFINITY;
    }
    float old_max = tile->max[row];
    judo_vector highest = judo_vector_all(old_max);
    for (int64_t i = 0; i < padded; i += JUDO_LANES) {
        highest = judo_vector_max(judo_vector_load(scores + i, JUDO_LANES), highest);
    }
    float max = judo_vector_highest(highest);
    judo_vector lanes = {0};
    for (int64_t i = 0; i < padded; i += JUDO_LANES) {
        judo_vector weight =
            judo_vector_exp(judo_vector_load(scores + i, JUDO_LANES) - judo_vector_all(max));
        judo_vector_store(scores + i, weight, JUDO_LANES);
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

/* out += weights x values for rows [first, last); counts[r] keys for row r, not falling. Rows
 * go together as far as all of them see the keys. */
static void add_values(judo_attention_tile *tile, int first, int last, const float *values,
                       int64_t stride, const int *counts)
{
    int dim = tile->dim;
    while (first < last) {
        int common = counts[first];
        int end = first + 1;
        while (end < last && (counts[end] == common || end - first < JOINT)) {
            end++;
        }
        float *out = tile->out + (int64_t)first * dim;
        const float *weights = tile->scores + (int64_t)first * KEYS;
        judo_cpu_small_gemm(out, dim, weights, KEYS, 1, values, stride, end - first, dim,
                            common, true);
        for (int row = first; row < end; row++) {
            if (counts[row] > common) {
                judo_cpu_small_gemm(tile->out + (int64_t)row * dim, dim,
                                    tile->scores + (int64_t)row * KEYS + common, KEYS, 1,
                                    values + common * stride, stride, 1, dim,
                                    counts[row] - common, true);
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
                            tile->queries + (int64_t)first * tile->dim, tile->dim, 1,
                            tile->keys, KEYS, last - first, (int)rounded(present), tile->dim,
                            false);
        for (int row = first; row < last; row++) {
            row_softmax(tile, row, counts[row]);
        }
        int64_t apart = stride;
        const float *block =
            judo_attention_rows(tile->values, judo_cpu_at(values, tile->dtype, start * stride),
                                tile->dtype, &apart, present, tile->dim);
        add_values(tile, first, last, block, apart, counts);
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
