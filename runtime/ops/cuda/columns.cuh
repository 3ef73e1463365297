/* runtime/ops/cuda/columns.cuh: sums over the rows of a matrix in two stages of one fixed
 * order: runs of rows, then the runs. */
#ifndef JUDO_RUNTIME_OPS_CUDA_COLUMNS_CUH
#define JUDO_RUNTIME_OPS_CUDA_COLUMNS_CUH

#include "runtime/ops/cuda/kernel.cuh"

enum { JUDO_CUDA_RUN = 64 }; /* rows of a run */

/* partial[run, j] = sum of value(i, j) over the rows i of a run. */
template <typename Value>
__global__ void column_runs(float *partial, Value value, int64_t m, int64_t n)
{
    int64_t j = thread_number();
    int64_t first = (int64_t)blockIdx.y * JUDO_CUDA_RUN;
    int64_t last = first + JUDO_CUDA_RUN < m ? first + JUDO_CUDA_RUN : m;
    if (j >= n) {
        return;
    }
    float sum = 0.0f;
    for (int64_t i = first; i < last; i++) {
        sum += value(i, j);
    }
    partial[blockIdx.y * n + j] = sum;
}

enum { JUDO_CUDA_SIDE_BY_SIDE = (int)JUDO_CUDA_THREADS / (int)JUDO_CUDA_WARP };

/* Adds the runs of a column: as many warps as JUDO_CUDA_SIDE_BY_SIDE take every that many run
 * of 32 columns, then their sums are added in order. */
static __global__ void add_runs(float *sums, const float *partial, int64_t runs, int64_t n)
{
    __shared__ float parts[JUDO_CUDA_SIDE_BY_SIDE][JUDO_CUDA_WARP];
    int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    int warp = (int)threadIdx.x / JUDO_CUDA_WARP;
    int64_t j = (int64_t)blockIdx.x * JUDO_CUDA_WARP + lane;
    float sum = 0.0f;
#pragma unroll 8
    for (int64_t i = warp; j < n && i < runs; i += JUDO_CUDA_SIDE_BY_SIDE) {
        sum += partial[i * n + j];
    }
    parts[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && j < n) {
        for (int other = 1; other < JUDO_CUDA_SIDE_BY_SIDE; other++) {
            sum += parts[other][lane];
        }
        sums[j] += sum;
    }
}

static inline judo_status judo_cuda_add_runs(float *sums, const float *partial, int64_t runs,
                                             int64_t n)
{
    unsigned blocks = (unsigned)((n + JUDO_CUDA_WARP - 1) / JUDO_CUDA_WARP);
    judo_cuda_launch(add_runs, blocks, JUDO_CUDA_THREADS, 0, sums, partial, runs, n);
    return judo_cuda_launched("sums over rows");
}

/* How many runs m rows make, and the op's scratch memory for sums of n columns of each. */
static inline judo_status judo_cuda_open_runs(float **partial, int64_t *runs, int64_t m,
                                              int64_t n)
{
    *runs = (m + JUDO_CUDA_RUN - 1) / JUDO_CUDA_RUN;
    if (*runs > 65535) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "cuda: sums over %lld rows; at most %d",
                         (long long)m, 65535 * JUDO_CUDA_RUN);
    }
    void *memory = NULL;
    JUDO_TRY(
        judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP, *runs * n * (int64_t)sizeof(float)));
    *partial = (float *)memory;
    return JUDO_OK;
}

/* sums[n] += the sum of value(i, j) over m rows; takes the op's scratch memory. */
template <typename Value>
judo_status add_column_sums(float *sums, const Value &value, int64_t m, int64_t n)
{
    int64_t runs = 0;
    float *partial = NULL;
    if (m == 0 || n == 0) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_cuda_open_runs(&partial, &runs, m, n));
    dim3 grid(judo_cuda_blocks(n), (unsigned)runs);
    judo_cuda_launch(column_runs<Value>, grid, JUDO_CUDA_THREADS, 0, partial, value, m, n);
    return judo_cuda_add_runs(sums, partial, runs, n);
}

#endif
