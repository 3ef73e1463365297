/* runtime/ops/adamw_cpu.c: the optimizer's update and the sum of squares of a gradient. */
#include "runtime/ops/adamw_step.h"
#include "runtime/ops/cpu.h"
#include "runtime/ops/split_weight.h"
#include "runtime/ops/vector_math.h"

/* What an update works on. */
typedef struct adamw_arrays {
    float *weights, *first_moment, *second_moment;
    uint16_t *bf16_copy; /* or NULL */
    const float *gradient;
} adamw_arrays;

/* Elements [i, i + min(left, 16)). */
JUDO_INLINE void update_vector(const adamw_arrays *x, int64_t i, int64_t left,
                               const judo_adamw_step *step)
{
    judo_vector g = judo_vector_load(x->gradient + i, left) * judo_vector_all(step->scale);
    judo_vector first = judo_vector_load(x->first_moment + i, left);
    judo_vector second = judo_vector_load(x->second_moment + i, left);
    judo_vector weight = judo_vector_load(x->weights + i, left);
    first = judo_vector_fma(judo_vector_all(step->mix1), g - first, first);
    second = second * judo_vector_all(step->keep2) + judo_vector_all(step->mix2) * g * g;
    judo_vector denominator = judo_vector_sqrt(second) / judo_vector_all(step->root2) +
                              judo_vector_all(step->epsilon);
    weight = weight * judo_vector_all(step->decay) -
             judo_vector_all(step->step_size) * first / denominator;
    judo_vector_store(x->first_moment + i, first, left);
    judo_vector_store(x->second_moment + i, second, left);
    judo_vector_store(x->weights + i, weight, left);
    if (x->bf16_copy) {
        judo_vector_store_bf16(x->bf16_copy + i, weight, left);
    }
}

judo_status judo_cpu_adamw(float *weights, float *first_moment, float *second_moment,
                           uint16_t *bf16_copy, const float *gradient, int64_t n,
                           const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(options));
    const judo_adamw_step step = judo_adamw_step_of(options);
    const adamw_arrays x = {weights, first_moment, second_moment, bf16_copy, gradient};
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(n))
    for (int64_t i = 0; i < n; i += JUDO_LANES) {
        update_vector(&x, i, n - i, &step);
    }
    return JUDO_OK;
}

/* The weights of one vector joined, updated and split again. */
JUDO_INLINE void update_split(const adamw_arrays *x, uint16_t *high, uint16_t *low, int64_t i,
                              int64_t left, const judo_adamw_step *step)
{
    float weights[JUDO_LANES];
    int64_t count = left < JUDO_LANES ? left : JUDO_LANES;
    for (int64_t j = 0; j < count; j++) {
        weights[j] = judo_weight_join(high[i + j], low[i + j]);
    }
    const adamw_arrays part = {weights, x->first_moment + i, x->second_moment + i, NULL,
                               x->gradient + i};
    update_vector(&part, 0, count, step);
    for (int64_t j = 0; j < count; j++) {
        judo_split_weight halves = judo_weight_split(weights[j]);
        high[i + j] = halves.high;
        low[i + j] = halves.low;
    }
}

judo_status judo_cpu_adamw_split(uint16_t *high, uint16_t *low, float *first_moment,
                                 float *second_moment, const float *gradient, int64_t n,
                                 const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(options));
    const judo_adamw_step step = judo_adamw_step_of(options);
    const adamw_arrays x = {NULL, first_moment, second_moment, NULL, gradient};
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(n))
    for (int64_t i = 0; i < n; i += JUDO_LANES) {
        update_split(&x, high, low, i, n - i, &step);
    }
    return JUDO_OK;
}

static double strip_sum(const float *x, int64_t n)
{
    enum { LANES = 8 };

    double lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            lanes[j] += (double)x[i + j] * (double)x[i + j];
        }
    }
    double sum = 0.0;
    for (int j = 0; j < LANES; j++) {
        sum += lanes[j];
    }
    for (; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

judo_status judo_cpu_sum_of_squares(double *sum, const float *x, int64_t n)
{
    /* As many strips for any number of threads: the same order of the sum. */
    enum { STRIPS = 256 };

    double sums[STRIPS];
    int64_t width = (n + STRIPS - 1) / STRIPS;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(n))
    for (int64_t i = 0; i < STRIPS; i++) {
        int64_t first = i * width < n ? i * width : n;
        sums[i] = strip_sum(x + first, n - first < width ? n - first : width);
    }
    double total = 0.0;
    for (int i = 0; i < STRIPS; i++) {
        total += sums[i];
    }
    *sum = total;
    return JUDO_OK;
}
