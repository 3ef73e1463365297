/* runtime/ops/cuda/softmax.cuh: the softmax of one row of logits by a block. Training and
 * generation both take their log-probabilities from here: the same bits, as long as both run
 * JUDO_CUDA_SOFTMAX threads. */
#ifndef JUDO_RUNTIME_OPS_CUDA_SOFTMAX_CUH
#define JUDO_RUNTIME_OPS_CUDA_SOFTMAX_CUH

#include "runtime/ops/cuda/kernel.cuh"

enum { JUDO_CUDA_SOFTMAX = 512 };

typedef struct row_softmax {
    float max;       /* highest logit / temperature over ids that are not banned */
    double sum;      /* sum of exp(logit / temperature - max) */
    double weighted; /* sum of exp(d) d with d = logit / temperature - max */
} row_softmax;

__device__ __forceinline__ float scaled_logit(const float *logits, int64_t i, float temperature,
                                              const uint8_t *banned)
{
    return banned && banned[i] ? -INFINITY : logits[i] / temperature;
}

/* Every thread gets the statistics. A logit that is not a number makes `sum` one, too. */
static __device__ row_softmax softmax_row(const float *logits, int64_t count, float temperature,
                                          const uint8_t *banned)
{
    row_softmax softmax;
    float highest = -INFINITY;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        float logit = scaled_logit(logits, i, temperature, banned);
        highest = logit > highest ? logit : highest;
    }
    softmax.max = join_block<highest_of>(highest, -INFINITY);
    float sum = 0.0f;
    float weighted = 0.0f;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        float difference = scaled_logit(logits, i, temperature, banned) - softmax.max;
        float exponential = expf(difference);
        sum += exponential;
        /* 0 x -inf would not be a number */
        weighted = fmaf(exponential, difference < -1000.0f ? -1000.0f : difference, weighted);
    }
    softmax.sum = block_sum((double)sum);
    softmax.weighted = block_sum((double)weighted);
    return softmax;
}

/* Log-probability of an id whose logit is `logit`. */
static __device__ __forceinline__ float softmax_logprob(const row_softmax *softmax, float logit,
                                                        float temperature)
{
    float difference = logit / temperature - softmax->max;
    return (float)((double)difference - log(softmax->sum));
}

#endif
