/* runtime/ops/rows_cpu.c: sums of tensors; rows gathered, scattered and added by index. */
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <string.h>

judo_status judo_cpu_add(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_cpu_expect_dims("add", "y", y, 0));
    JUDO_TRY(judo_cpu_expect_like("add", "x", x, y));
    int64_t count = judo_tensor_count(y);
    float *out = y->data;
    const float *in = x->data;
#pragma omp parallel for simd schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i++) {
        out[i] += in[i];
    }
    return JUDO_OK;
}

static int64_t row_width(const judo_tensor *tensor)
{
    int64_t width = 1;
    for (int i = 1; i < tensor->num_dims; i++) {
        width *= tensor->dims[i];
    }
    return width;
}

/* `listed` has one row per index, `indexed` is what the indices point into. */
static judo_status check_rows(const char *op, const judo_tensor *listed,
                              const judo_tensor *indexed, const int32_t *index, int64_t count)
{
    JUDO_TRY(judo_cpu_expect_dims(op, "y", listed, 0));
    JUDO_TRY(judo_cpu_expect_dims(op, "x", indexed, 0));
    if (count < 0 || listed->dims[0] != count || row_width(listed) != row_width(indexed)) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "%s: %" PRId64 " indices for %" PRId64 " rows of %" PRId64
                         " elements against rows of %" PRId64,
                         op, count, listed->dims[0], row_width(listed), row_width(indexed));
    }
    for (int64_t i = 0; i < count; i++) {
        if (index[i] < 0 || index[i] >= indexed->dims[0]) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: index[%" PRId64 "] = %" PRId32 " is outside of %" PRId64
                             " rows",
                             op, i, index[i], indexed->dims[0]);
        }
    }
    return JUDO_OK;
}

judo_status judo_cpu_gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                 int64_t count)
{
    JUDO_TRY(check_rows("gather_rows", y, x, index, count));
    int64_t width = row_width(x);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count *width))
    for (int64_t i = 0; i < count; i++) {
        memcpy((float *)y->data + i * width, (const float *)x->data + index[i] * width,
               (size_t)width * sizeof(float));
    }
    return JUDO_OK;
}

judo_status judo_cpu_scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                  int64_t count)
{
    JUDO_TRY(check_rows("scatter_rows", x, y, index, count));
    int64_t width = row_width(x);
    /* One thread: where an index repeats, the last row wins. */
    for (int64_t i = 0; i < count; i++) {
        memcpy((float *)y->data + index[i] * width, (const float *)x->data + i * width,
               (size_t)width * sizeof(float));
    }
    return JUDO_OK;
}

judo_status judo_cpu_scatter_add_rows(judo_tensor *y, const judo_tensor *x,
                                      const int32_t *index, int64_t count)
{
    enum { STRIP = 64 };

    JUDO_TRY(check_rows("scatter_add_rows", x, y, index, count));
    int64_t width = row_width(x);
    /* A strip of columns belongs to one thread: repeated rows are added in the order of i. */
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count *width))
    for (int64_t first = 0; first < width; first += STRIP) {
        int64_t last = width - first < STRIP ? width : first + STRIP;
        for (int64_t i = 0; i < count; i++) {
            const float *in = (const float *)x->data + i * width;
            float *out = (float *)y->data + index[i] * width;
            for (int64_t j = first; j < last; j++) {
                out[j] += in[j];
            }
        }
    }
    return JUDO_OK;
}
