/* runtime/ops/rows_cpu.c: sums of tensors; rows gathered, scattered and added by index. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

#include <inttypes.h>
#include <string.h>

/* y[first..] += x[first..] for at most `most` of `count` elements. */
JUDO_INLINE void add_chunk(void *y, const void *x, int64_t first, int64_t most, int64_t count,
                           judo_dtype dtype)
{
    int64_t last = count - first < most ? count : first + most;
    for (int64_t i = first; i < last; i += JUDO_LANES) {
        judo_vector sum =
            judo_vector_read(y, dtype, i, last - i) + judo_vector_read(x, dtype, i, last - i);
        judo_vector_write(y, dtype, i, sum, last - i);
    }
}

judo_status judo_cpu_add(judo_tensor *y, const judo_tensor *x)
{
    enum { CHUNK = 2048 }; /* elements that one thread takes at a time */

    JUDO_TRY(judo_add_check(y, x));
    int64_t count = judo_tensor_count(y);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += CHUNK) {
        JUDO_FOR_DTYPE(y->dtype, add_chunk, y->data, x->data, i, CHUNK, count);
    }
    return JUDO_OK;
}

judo_status judo_cpu_gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                 int64_t count)
{
    JUDO_TRY(judo_rows_check("gather_rows", y, x, y->dtype, index, count));
    int64_t width = judo_row_width(x);
    int64_t bytes = width * judo_dtype_bytes(x->dtype);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count *width))
    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)y->data + i * bytes, (const char *)x->data + index[i] * bytes,
               (size_t)bytes);
    }
    return JUDO_OK;
}

judo_status judo_cpu_gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                       const judo_draw *draws, int64_t num_draws,
                                       const int32_t *places, int64_t count)
{
    JUDO_TRY(judo_drawn_rows_check(y, x, num_draws, places, count));
    int64_t bytes = judo_row_width(x) * judo_dtype_bytes(x->dtype);
    for (int64_t i = 0; i < count; i++) {
        int32_t row = draws[places[i]].token;
        char *to = (char *)y->data + i * bytes;
        if (row >= 0 && row < x->dims[0]) {
            memcpy(to, (const char *)x->data + row * bytes, (size_t)bytes);
        } else {
            memset(to, 0, (size_t)bytes);
        }
    }
    return JUDO_OK;
}

judo_status judo_cpu_scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                  int64_t count)
{
    JUDO_TRY(judo_rows_check("scatter_rows", x, y, x->dtype, index, count));
    int64_t bytes = judo_row_width(x) * judo_dtype_bytes(x->dtype);
    /* One thread: where an index repeats, the last row wins. */
    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)y->data + index[i] * bytes, (const char *)x->data + i * bytes,
               (size_t)bytes);
    }
    return JUDO_OK;
}

/* Columns [first, last) of y[index[i]] += x[i] for every i in its order. */
JUDO_INLINE void add_strip(float *y, const void *x, const int32_t *index, int64_t count,
                           int64_t width, int64_t first, int64_t last, judo_dtype dtype)
{
    for (int64_t i = 0; i < count; i++) {
        float *out = y + index[i] * width;
        for (int64_t j = first; j < last; j += JUDO_LANES) {
            judo_vector sum = judo_vector_load(out + j, last - j) +
                              judo_vector_read(x, dtype, i * width + j, last - j);
            judo_vector_store(out + j, sum, last - j);
        }
    }
}

judo_status judo_cpu_scatter_add_rows(judo_tensor *y, const judo_tensor *x,
                                      const int32_t *index, int64_t count)
{
    enum { STRIP = 64 };

    JUDO_TRY(judo_rows_check("scatter_add_rows", x, y, JUDO_F32, index, count));
    int64_t width = judo_row_width(x);
    /* A strip of columns belongs to one thread: repeated rows are added in the order of i. */
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count *width))
    for (int64_t first = 0; first < width; first += STRIP) {
        int64_t last = width - first < STRIP ? width : first + STRIP;
        JUDO_FOR_DTYPE(x->dtype, add_strip, y->data, x->data, index, count, width, first, last);
    }
    return JUDO_OK;
}
