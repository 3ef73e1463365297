/* runtime/ops/cuda/adamw.cu: the optimizer's update and the sum of squares of a gradient. */
#include "runtime/ops/cuda/pack.cuh"

extern "C" {
#include "runtime/ops/adamw_step.h"
#include "runtime/ops/split_weight.h"
}

/* Three numbers of a weight, and its gradient. */
static __device__ __forceinline__ void update_one(float *weight, float *first, float *second,
                                                  float gradient, const judo_adamw_step *step)
{
    float g = gradient * step->scale;
    *first = fmaf(step->mix1, g - *first, *first);
    *second = *second * step->keep2 + step->mix2 * g * g;
    float denominator = sqrtf(*second) / step->root2 + step->epsilon;
    *weight = *weight * step->decay - step->step_size * *first / denominator;
}

typedef struct update_arguments {
    float *weights, *first_moment, *second_moment;
    bf16 *copy; /* or NULL */
    const float *gradient;
    int64_t n;
    judo_adamw_step step;
    bool wide; /* all begin where four elements may be read at once */
} update_arguments;

enum { FOUR = pack_size<float> };

static __device__ __forceinline__ void update_four(const update_arguments *a, int64_t first)
{
    float weight[FOUR];
    float first_moment[FOUR];
    float second_moment[FOUR];
    float gradient[FOUR];
    read_pack(weight, a->weights + first);
    read_pack(first_moment, a->first_moment + first);
    read_pack(second_moment, a->second_moment + first);
    read_pack(gradient, a->gradient + first);
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
        update_one(&weight[i], &first_moment[i], &second_moment[i], gradient[i], &a->step);
    }
    write_pack(a->weights + first, weight);
    write_pack(a->first_moment + first, first_moment);
    write_pack(a->second_moment + first, second_moment);
    if (a->copy) {
        bf16 rounded[FOUR];
#pragma unroll
        for (int i = 0; i < FOUR; i++) {
            rounded[i] = __float2bfloat16_rn(weight[i]);
        }
        uint64_t bits;
        memcpy(&bits, rounded, sizeof bits);
        *(uint64_t *)(a->copy + first) = bits;
    }
}

/* A thread per four elements; the last may be fewer. */
static __global__ void update(const __grid_constant__ update_arguments a)
{
    int64_t first = thread_number() * FOUR;
    if (a.wide && first + FOUR <= a.n) {
        update_four(&a, first);
        return;
    }
    for (int64_t i = first; i < first + FOUR && i < a.n; i++) {
        update_one(&a.weights[i], &a.first_moment[i], &a.second_moment[i], a.gradient[i],
                   &a.step);
        if (a.copy) {
            a.copy[i] = __float2bfloat16_rn(a.weights[i]);
        }
    }
}

judo_status judo_cuda_adamw(float *weights, float *first_moment, float *second_moment,
                            uint16_t *bf16_copy, const float *gradient, int64_t n,
                            const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(options));
    update_arguments a = {weights,
                          first_moment,
                          second_moment,
                          (bf16 *)bf16_copy,
                          gradient,
                          n,
                          judo_adamw_step_of(options),
                          true};
    const void *const addresses[] = {weights, first_moment, second_moment, gradient};
    for (const void *address : addresses) {
        a.wide = a.wide && judo_cuda_is_wide(address);
    }
    a.wide = a.wide && (uintptr_t)bf16_copy % 8 == 0;
    if (n > 0) {
        judo_cuda_launch(update, judo_cuda_blocks((n + FOUR - 1) / FOUR), JUDO_CUDA_THREADS, 0,
                         a);
    }
    return judo_cuda_launched("adamw");
}

/* The same on weights kept as two halves. */
static __global__ void update_halves(const __grid_constant__ update_arguments a, uint16_t *high,
                                     uint16_t *low)
{
    int64_t first = thread_number() * FOUR;
    float moments[2][FOUR];
    float gradient[FOUR];
    uint16_t halves[2][FOUR];
    if (!a.wide || first + FOUR > a.n) {
        for (int64_t i = first; i < first + FOUR && i < a.n; i++) {
            float weight = judo_weight_join(high[i], low[i]);
            update_one(&weight, &a.first_moment[i], &a.second_moment[i], a.gradient[i],
                       &a.step);
            judo_split_weight split = judo_weight_split(weight);
            high[i] = split.high;
            low[i] = split.low;
        }
        return;
    }
    uint64_t words[2] = {*(const uint64_t *)(high + first), *(const uint64_t *)(low + first)};
    memcpy(halves, words, sizeof halves);
    read_pack(moments[0], a.first_moment + first);
    read_pack(moments[1], a.second_moment + first);
    read_pack(gradient, a.gradient + first);
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
        float weight = judo_weight_join(halves[0][i], halves[1][i]);
        update_one(&weight, &moments[0][i], &moments[1][i], gradient[i], &a.step);
        judo_split_weight split = judo_weight_split(weight);
        halves[0][i] = split.high;
        halves[1][i] = split.low;
    }
    write_pack(a.first_moment + first, moments[0]);
    write_pack(a.second_moment + first, moments[1]);
    memcpy(words, halves, sizeof words);
    *(uint64_t *)(high + first) = words[0];
    *(uint64_t *)(low + first) = words[1];
}

judo_status judo_cuda_adamw_split(uint16_t *high, uint16_t *low, float *first_moment,
                                  float *second_moment, const float *gradient, int64_t n,
                                  const judo_adamw *options)
{
    JUDO_TRY(judo_adamw_check(options));
    update_arguments a = {};
    a.first_moment = first_moment;
    a.second_moment = second_moment;
    a.gradient = gradient;
    a.n = n;
    a.step = judo_adamw_step_of(options);
    a.wide = judo_cuda_is_wide(first_moment) && judo_cuda_is_wide(second_moment) &&
             judo_cuda_is_wide(gradient) && (uintptr_t)high % 8 == 0 && (uintptr_t)low % 8 == 0;
    if (n > 0) {
        judo_cuda_launch(update_halves, judo_cuda_blocks((n + FOUR - 1) / FOUR),
                         JUDO_CUDA_THREADS, 0, a, high, low);
    }
    return judo_cuda_launched("adamw_split");
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
