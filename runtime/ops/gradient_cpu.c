/* runtime/ops/gradient_cpu.c: what is done with kept gradients: squares and sums. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

JUDO_INLINE double square_of(const void *x, int64_t i, judo_dtype dtype)
{
    double value = dtype == JUDO_BF16 ? (double)judo_bf16_to_f32(((const uint16_t *)x)[i])
                                      : (double)((const float *)x)[i];
    return value * value;
}

/* Of elements [first, last). */
JUDO_INLINE void strip_sum(double *out, const void *x, int64_t first, int64_t last,
                           judo_dtype dtype)
{
    enum { LANES = 8 };

    double lanes[LANES] = {0};
    int64_t i = first;
    for (; i + LANES <= last; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            lanes[j] += square_of(x, i + j, dtype);
        }
    }
    double sum = 0.0;
    for (int j = 0; j < LANES; j++) {
        sum += lanes[j];
    }
    for (; i < last; i++) {
        sum += square_of(x, i, dtype);
    }
    *out = sum;
}

judo_status judo_cpu_sum_of_squares(double *sum, const judo_tensor *x)
{
    /* As many strips for any number of threads: the same order of the sum. */
    enum { STRIPS = 256 };

    double sums[STRIPS];
    JUDO_TRY(judo_expect_dims("sum_of_squares", "x", x, 0));
    int64_t n = judo_tensor_count(x);
    int64_t width = (n + STRIPS - 1) / STRIPS;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(n))
    for (int64_t i = 0; i < STRIPS; i++) {
        int64_t first = i * width < n ? i * width : n;
        int64_t last = n - first < width ? n : first + width;
        JUDO_FOR_DTYPE(x->dtype, strip_sum, &sums[i], x->data, first, last);
    }
    double total = 0.0;
    for (int i = 0; i < STRIPS; i++) {
        total += sums[i];
    }
    *sum = total;
    return JUDO_OK;
}

judo_status judo_cpu_add_rounded(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_add_rounded_check(y, x));
    uint16_t *sums = y->data;
    const float *values = x->data;
    int64_t count = judo_tensor_count(y);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        judo_vector sum = judo_vector_load_bf16(sums + i, count - i) +
                          judo_vector_load(values + i, count - i);
        judo_vector_store_bf16(sums + i, sum, count - i);
    }
    return JUDO_OK;
}
