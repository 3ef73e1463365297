/* runtime/ops/cuda/attention_softmax.cuh: a streaming softmax (Milakov and Gimelshein 2018; Dao
 * et al. 2022) of a warp's 16 rows over blocks of keys. Scores and what they are compared with
 * are in units of log 2: powers of two are what the hardware computes. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_SOFTMAX_CUH
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_SOFTMAX_CUH

#include "runtime/ops/cuda/attention_mma.cuh"

#define JUDO_LOG2_E 1.44269504088896340736f
#define JUDO_LN_2   0.69314718055994530942f

/* What a warp's 16 rows have seen; this thread's two rows. */
template <int D> struct tile_state {
    float out[D / 8][4], max[2], sum[2];
};

/* A run of keys in global memory. */
typedef struct key_run {
    const bf16 *keys, *values;
    int64_t stride;
    int count, dim;
} key_run;

template <int D> static __device__ void start(tile_state<D> *state)
{
    clear_sums(state->out);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        state->max[side] = -INFINITY;
        state->sum[side] = 0.0f;
    }
}

/* Scores of one of the thread's rows against 8 N keys, of which it sees the first `visible`,
 * become weights; the state is scaled to the new maximum. `scale` includes log2 e. */
template <int D, int N>
static __device__ __forceinline__ void weigh(tile_state<D> *state, float (&w)[N][4], int side,
                                             int visible, float scale)
{
    int column = (int)threadIdx.x % 4 * 2;
    float highest = state->max[side];
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float *s = &w[n][side * 2 + e];
            *s = n * 8 + column + e < visible ? *s * scale : -INFINITY;
            highest = fmaxf(highest, *s);
        }
    }
    highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 1));
    highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, 2));
    float base = highest == -INFINITY ? 0.0f : highest;
    float keep = power_of_two(state->max[side] - base);
    float sum = state->sum[side] * keep;
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float *s = &w[n][side * 2 + e];
            *s = power_of_two(*s - base);
            sum += *s;
        }
    }
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
        state->out[n][side * 2] *= keep;
        state->out[n][side * 2 + 1] *= keep;
    }
    state->max[side] = highest;
    state->sum[side] = sum;
}

/* The sum of the weights of one of the thread's rows, of which four lanes have a part. */
template <int D> static __device__ float row_sum(const tile_state<D> *state, int side)
{
    float sum = state->sum[side];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    return sum + __shfl_xor_sync(0xffffffffu, sum, 2);
}

#endif
