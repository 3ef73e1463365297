/* runtime/ops/attention_pack_cpu.c: rows of memory put into the order in which attention's
 * products take them; see attention_cpu.h. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

enum { KEYS = JUDO_ATTENTION_KEYS };

/* 16 terms, floats or words of two bf16, from term `d` of a row. */
JUDO_INLINE judo_vector load_terms(const void *row, int64_t d, judo_dtype dtype)
{
    judo_vector v;
    memcpy(&v, judo_cpu_at(row, dtype, dtype == JUDO_BF16 ? 2 * d : d), sizeof v);
    return v;
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

/* Terms d to d + 15 of `count` rows. */
JUDO_INLINE void transpose_16(float *out, const void *rows, int64_t d, int64_t stride,
                              int count, judo_dtype dtype)
{
    judo_vector block[JUDO_LANES];
    for (int i = 0; i < JUDO_LANES; i++) {
        block[i] = i < count ? load_terms(judo_cpu_at(rows, dtype, i * stride), d, dtype)
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

/* Term `d` of a row of `dim` elements. */
JUDO_INLINE float one_term(const void *row, int d, int dim, judo_dtype dtype)
{
    if (dtype == JUDO_F32) {
        return ((const float *)row)[d];
    }
    judo_vector first = judo_vector_read(row, dtype, 2 * (int64_t)d, 1);
    judo_vector second =
        2 * d + 1 < dim ? judo_vector_read(row, dtype, 2 * (int64_t)d + 1, 1) : first * 0.0f;
    return judo_vector_pairs(first, second)[0];
}

JUDO_INLINE void transpose_rows(float *out, const void *rows, int64_t stride, int count,
                                int dim, judo_dtype dtype)
{
    int whole = dtype == JUDO_BF16 ? dim / 2 : dim;
    int terms = judo_attention_terms(dtype, dim);
    for (int first = 0; first < KEYS; first += JUDO_LANES) {
        const void *some = judo_cpu_at(rows, dtype, first * stride);
        int present = count - first;
        int d = 0;
        for (; d + JUDO_LANES <= whole; d += JUDO_LANES) {
            transpose_16(out + (int64_t)d * KEYS + first, some, d, stride, present, dtype);
        }
        for (; d < terms; d++) {
            for (int i = 0; i < JUDO_LANES; i++) {
                const void *row = judo_cpu_at(some, dtype, i * stride);
                out[(int64_t)d * KEYS + first + i] =
                    i < present ? one_term(row, d, dim, dtype) : 0.0f;
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
