/* runtime/ops/attention_pack_cpu.c: rows of memory put into the order in which attention's
 * products take them; see attention_cpu.h. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_transpose.h"

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

/* 16 terms of 16 rows, both there: everything stays in registers. */
JUDO_INLINE void transpose_whole(float *out, const void *rows, int64_t stride, judo_dtype dtype)
{
    judo_vector block[JUDO_LANES];
#pragma GCC unroll 16
    for (int i = 0; i < JUDO_LANES; i++) {
        block[i] = judo_vector_load(judo_cpu_at(rows, dtype, i * stride), JUDO_LANES);
    }
    judo_vector_transpose(block);
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
    judo_vector_transpose(block);
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
