/* runtime/ops/attention_pack_cpu.c: rows of memory put into the order in which attention's
 * products take them; see attention_cpu.h. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

enum { KEYS = JUDO_ATTENTION_KEYS };

/* 16 terms, floats or words of two bf16, from element `d` of a row of `dim`; zeros behind it.
 */
JUDO_INLINE judo_vector load_terms(const void *row, int d, int dim, judo_dtype dtype)
{
    int left = dim - d;
    if (dtype == JUDO_BF16 && left < 2 * JUDO_LANES && left % 2 != 0) {
        judo_vector odd = {0};
        memcpy(&odd, judo_cpu_at(row, dtype, d), (size_t)left * sizeof(uint16_t));
        return odd;
    }
    return judo_vector_load(judo_cpu_at(row, dtype, d), judo_attention_terms(dtype, left));
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

JUDO_INLINE void exchange(judo_vector block[JUDO_LANES]){
#pragma GCC unroll 16
    EXCHANGE(1, LOW1, HIGH1)
#pragma GCC unroll 16
        EXCHANGE(2, LOW2, HIGH2)
#pragma GCC unroll 16
            EXCHANGE(4, LOW4, HIGH4)
#pragma GCC unroll 16
                EXCHANGE(8, LOW8, HIGH8)}

/* 16 terms of 16 rows, both there: everything stays in registers. */
JUDO_INLINE void transpose_whole(float *out, const void *rows, int64_t stride, judo_dtype dtype)
{
    judo_vector block[JUDO_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < JUDO_LANES; i++) {
        block[i] = judo_vector_load(judo_cpu_at(rows, dtype, i * stride), JUDO_LANES);
    }
    exchange(block);
#pragma GCC unroll 16
    for (int i = 0; i < JUDO_LANES; i++) {
        judo_vector_store(out + (int64_t)i * KEYS, block[i], JUDO_LANES);
    }
}

/* Element `d` and those behind it of `count` rows of `dim`: up to 16 terms. */
JUDO_INLINE void transpose_part(float *out, const void *rows, int d, int dim, int64_t stride,
                                int count, judo_dtype dtype)
{
    judo_vector block[JUDO_LANES];
    int terms = judo_attention_terms(dtype, dim - d);
    for (int i = 0; i < JUDO_LANES; i++) {
        block[i] = i < count ? load_terms(judo_cpu_at(rows, dtype, i * stride), d, dim, dtype)
                             : judo_vector_all(0.0f);
    }
    exchange(block);
    for (int i = 0; i < JUDO_LANES && i < terms; i++) {
        judo_vector_store(out + (int64_t)i * KEYS, block[i], JUDO_LANES);
    }
}

JUDO_INLINE void transpose_rows(float *out, const void *rows, int64_t stride, int count,
                                int dim, judo_dtype dtype)
{
    int step = dtype == JUDO_BF16 ? 2 * JUDO_LANES : JUDO_LANES;
    for (int first = 0; first < KEYS; first += JUDO_LANES) {
        const void *some = judo_cpu_at(rows, dtype, first * stride);
        for (int d = 0; d < dim; d += step) {
            float *to = out + (int64_t)judo_attention_terms(dtype, d) * KEYS + first;
            if (count - first >= JUDO_LANES && dim - d >= step) {
                transpose_whole(to, judo_cpu_at(some, dtype, d), stride, dtype);
            } else {
                transpose_part(to, some, d, dim, stride, count - first, dtype);
            }
        }
    }
}

void judo_attention_transpose(float *out, const void *rows, judo_dtype dtype, int64_t stride,
                              int count, int dim)
{
    JUDO_FOR_DTYPE(dtype, transpose_rows, out, rows, stride, count, dim);
}

void judo_attention_copy(float *out, const void *row, judo_dtype dtype, int dim)
{
    if (dim % 2 != 0) {
        out[judo_attention_terms(dtype, dim) - 1] = 0.0f; /* of which half may be left */
    }
    memcpy(out, row, (size_t)(dim * judo_dtype_bytes(dtype)));
}

void judo_attention_join(float *out, const void *rows, int64_t stride, int count, int dim)
{
    const uint16_t *in = rows;
    for (int i = 0; i < count; i += 2) {
        const uint16_t *first = in + i * stride;
        for (int d = 0; d < dim; d += JUDO_LANES) {
            judo_vector_words low =
                (judo_vector_words)judo_vector_load_bf16(first + d, dim - d) >> 16;
            judo_vector_words high = {0};
            if (i + 1 < count) {
                high = (judo_vector_words)judo_vector_load_bf16(first + stride + d, dim - d);
            }
            judo_vector_store(out + (int64_t)i / 2 * dim + d, (judo_vector)(low | high),
                              dim - d);
        }
    }
}
