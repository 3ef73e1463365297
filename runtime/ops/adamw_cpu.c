/* runtime/ops/adamw_cpu.c: the optimizer's update and the sum of squares of a gradient. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* The order of torch.optim.AdamW's single-tensor form: scalars in fp64, elements in fp32. */
judo_status judo_cpu_adamw(float *weights, float *first_moment, float *second_moment,
                           uint16_t *bf16_copy, const float *gradient, int64_t n,
                           const judo_adamw *options)
{
    if (options->step < 1) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "adamw: step %lld; the first update is step 1",
                         (long long)options->step);
    }
    double beta1 = options->beta1;
    double beta2 = options->beta2;
    double correction1 = 1.0 - pow(beta1, (double)options->step);
    double correction2 = 1.0 - pow(beta2, (double)options->step);
    float decay = (float)(1.0 - options->learning_rate * options->weight_decay);
    float step_size = (float)(options->learning_rate / correction1);
    float root2 = (float)sqrt(correction2);
    float mix1 = (float)(1.0 - beta1);
    float keep2 = (float)beta2;
    float mix2 = (float)(1.0 - beta2);
    float epsilon = (float)options->epsilon;
    float scale = options->gradient_scale;
#pragma omp parallel for simd schedule(static) num_threads(judo_cpu_threads_for(n))
    for (int64_t i = 0; i < n; i++) {
        float g = gradient[i] * scale;
        float first = fmaf(mix1, g - first_moment[i], first_moment[i]);
        float second = second_moment[i] * keep2 + mix2 * g * g;
        float denominator = sqrtf(second) / root2 + epsilon;
        first_moment[i] = first;
        second_moment[i] = second;
        weights[i] = weights[i] * decay - step_size * first / denominator;
    }
    if (bf16_copy) {
        judo_vector_convert(bf16_copy, JUDO_BF16, weights, JUDO_F32, n);
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
