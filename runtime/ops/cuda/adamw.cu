/* runtime/ops/cuda/adamw.cu: the optimizer's update and the sum of squares of a gradient. */
#include "runtime/ops/cuda/kernel.cuh"

extern "C" {
#include "runtime/ops/adamw_step.h"
}

static __global__ void update(float *weights, float *first_moment, float *second_moment,
                              bf16 *bf16_copy, const float *gradient, int64_t n,
                              judo_adamw_step step)
{
    int64_t i = thread_number();
    if (i >= n) {
        return;
    }
    float g = gradient[i] * step.scale;
    float first = first_moment[i];
    first = fmaf(step.mix1, g - first, first);
    float second = second_moment[i] * step.keep2 + step.mix2 * g * g;
    float denominator = sqrtf(second) / step.root2 + step.epsilon;
    float weight = weights[i] * step.decay - step.step_size * first / denominator;
    first_moment[i] = first;
    second_moment[i] = second;
    weights[i] = weight;
    if (bf16_copy) {
        bf16_copy[i] = __float2bfloat16_rn(weight);
    }
}

judo_status judo_cuda_adamw(float *weights, float *first_moment, float *second_moment,
                            uint16_t *bf16_copy, const float *gradient, int64_t n,
                            const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(options));
    if (n > 0) {
        judo_cuda_launch(update, judo_cuda_blocks(n), JUDO_CUDA_THREADS, 0, weights,
                         first_moment, second_moment, (bf16 *)bf16_copy, gradient, n,
                         judo_adamw_step_of(options));
    }
    return judo_cuda_launched("adamw");
}

enum { STRIPS = 512 }; /* as many blocks for any length: one order of the sum */

static __global__ void sum_strip(double *sums, const float *x, int64_t n)
{
    int64_t width = (n + STRIPS - 1) / STRIPS;
    int64_t first = blockIdx.x * width;
    int64_t last = first + width < n ? first + width : n;
    double sum = 0.0;
    for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) {
        sum += (double)x[i] * (double)x[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

judo_status judo_cuda_sum_of_squares(double *sum, const float *x, int64_t n)
{
    double sums[STRIPS];
    void *memory = NULL;
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP, (int64_t)sizeof sums));
    judo_cuda_launch(sum_strip, STRIPS, JUDO_CUDA_THREADS, 0, (double *)memory, x, n);
    JUDO_TRY(judo_cuda_launched("sum_of_squares"));
    JUDO_TRY(judo_cuda_fetch(sums, memory, (int64_t)sizeof sums));
    double total = 0.0;
    for (int i = 0; i < STRIPS; i++) {
        total += sums[i];
    }
    *sum = total;
    return JUDO_OK;
}
