/* runtime/ops/cuda/kernel.cuh: what kernels are made of: elements of either dtype as fp32, and
 * sums over a block in one fixed order. */
#ifndef JUDO_RUNTIME_OPS_CUDA_KERNEL_CUH
#define JUDO_RUNTIME_OPS_CUDA_KERNEL_CUH

#include "runtime/ops/cuda/cuda.h"
#include "runtime/ops/cuda/launch.cuh"

typedef __nv_bfloat16 bf16;

__device__ __forceinline__ float read(const float *x, int64_t i)
{
    return x[i];
}

__device__ __forceinline__ float read(const bf16 *x, int64_t i)
{
    return __bfloat162float(x[i]);
}

__device__ __forceinline__ void write(float *x, int64_t i, float value)
{
    x[i] = value;
}

__device__ __forceinline__ void write(bf16 *x, int64_t i, float value)
{
    x[i] = __float2bfloat16_rn(value);
}

/* Calls the function template `function`<element type>(..). */
#define JUDO_CUDA_FOR_DTYPE(tensor_dtype, function, ...)                                       \
    do {                                                                                       \
        if ((tensor_dtype) == JUDO_BF16) {                                                     \
            function<bf16>(__VA_ARGS__);                                                       \
        } else {                                                                               \
            function<float>(__VA_ARGS__);                                                      \
        }                                                                                      \
    } while (0)

enum { JUDO_CUDA_THREADS = 256, JUDO_CUDA_WARP = 32 };

/* Blocks of JUDO_CUDA_THREADS threads for as many elements. */
static inline unsigned judo_cuda_blocks(int64_t count)
{
    return (unsigned)((count + JUDO_CUDA_THREADS - 1) / JUDO_CUDA_THREADS);
}

/* The number of this thread in the grid. */
__device__ __forceinline__ int64_t thread_number(void)
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}

struct sum_of {
    template <typename T> __device__ static T join(T a, T b)
    {
        return a + b;
    }
};

struct highest_of {
    template <typename T> __device__ static T join(T a, T b)
    {
        return a > b ? a : b;
    }
};

/* Joins the values of a warp; every lane gets the same bits. */
template <typename Join, typename T> __device__ T join_warp(T value)
{
    for (int distance = JUDO_CUDA_WARP / 2; distance > 0; distance /= 2) {
        value = Join::join(value, __shfl_xor_sync(0xffffffffu, value, distance));
    }
    return value;
}

/* Joins the values of a block (whole warps); every thread gets the same bits. */
template <typename Join, typename T> __device__ T join_block(T value, T nothing)
{
    __shared__ T parts[JUDO_CUDA_WARP + 1];
    int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    value = join_warp<Join>(value);
    __syncthreads(); /* the last call's parts have been read */
    if (lane == 0) {
        parts[warp] = value;
    }
    __syncthreads();
    if (warp == 0) {
        value = lane < (int)blockDim.x / JUDO_CUDA_WARP ? parts[lane] : nothing;
        value = join_warp<Join>(value);
        if (lane == 0) {
            parts[JUDO_CUDA_WARP] = value;
        }
    }
    __syncthreads();
    return parts[JUDO_CUDA_WARP];
}

template <typename T> __device__ T block_sum(T value)
{
    return join_block<sum_of>(value, (T)0);
}

#endif
