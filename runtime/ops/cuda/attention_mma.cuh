/* runtime/ops/cuda/attention_mma.cuh: products of bf16 tiles in shared memory by one warp
 * (mma_instructions.cuh), and how rows come into shared memory. A sum of 16 rows by 8 N columns
 * is float c[N][4]: this thread's rows are lane / 4 and lane / 4 + 8 (elements 0, 1 and 2, 3),
 * its columns 8 n + lane % 4 * 2 and the next. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_MMA_CUH
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_MMA_CUH

#include "runtime/ops/cuda/kernel.cuh"
#include "runtime/ops/cuda/mma_instructions.cuh"

enum { TILE_PAD = 8 }; /* elements behind each row: neighbours lie in different banks */

static __device__ __forceinline__ uint32_t pair_of(float low, float high)
{
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

template <int N> static __device__ __forceinline__ void clear_sums(float (&c)[N][4])
{
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            c[n][e] = 0.0f;
        }
    }
}

/* c[16, 8 N] = sum over D of a[16 rows][D] b[8 N rows][D]: scores of rows against rows. */
template <int D, int N>
static __device__ __forceinline__ void rows_by_rows(float (&c)[N][4], const bf16 *a,
                                                    const bf16 *b)
{
    const int stride = D + TILE_PAD;
    int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    const bf16 *a_row = a + lane % 16 * stride + lane / 16 * 8;
    const bf16 *b_row = b + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8;
    clear_sums(c);
#pragma unroll
    for (int d = 0; d < D; d += 16) {
        uint32_t a_part[4];
        load_matrices(a_part, a_row + d);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            uint32_t b_part[4];
            load_matrices(b_part, b_row + n * 8 * stride + d);
            multiply_add(c[n], a_part, b_part[0], b_part[1]);
            multiply_add(c[n + 1], a_part, b_part[2], b_part[3]);
        }
    }
}

/* c[16, D] += w[16, 8 N] b[8 N rows][D], w a sum's layout, rounded to bf16. */
template <int D, int N>
static __device__ __forceinline__ void weights_by_rows(float (&c)[D / 8][4],
                                                       const float (&w)[N][4], const bf16 *b)
{
    const int stride = D + TILE_PAD;
    int lane = (int)threadIdx.x % JUDO_CUDA_WARP;
    const bf16 *b_row = b + (lane / 8 % 2 * 8 + lane % 8) * stride + lane / 16 * 8;
#pragma unroll
    for (int k = 0; k < N; k += 2) {
        const uint32_t a_part[4] = {pair_of(w[k][0], w[k][1]), pair_of(w[k][2], w[k][3]),
                                    pair_of(w[k + 1][0], w[k + 1][1]),
                                    pair_of(w[k + 1][2], w[k + 1][3])};
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            uint32_t b_part[4];
            load_transposed(b_part, b_row + k * 8 * stride + n * 8);
            multiply_add(c[n], a_part, b_part[0], b_part[1]);
            multiply_add(c[n + 1], a_part, b_part[2], b_part[3]);
        }
    }
}

/* Whether rows of `dim` elements from `base` on can be read 16 bytes at a time. */
static __device__ __forceinline__ bool reads_wide(const bf16 *base, int dim)
{
    return dim % 8 == 0 && (uintptr_t)base % 16 == 0;
}

/* Eight elements of a row from `d` on, 0 behind `dim`. */
static __device__ __forceinline__ uint4 read_eight(const bf16 *row, int d, int dim, bool wide)
{
    if (wide && d < dim) {
        return *(const uint4 *)(row + d);
    }
    uint16_t eight[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        eight[i] = d + i < dim ? __bfloat16_as_ushort(row[d + i]) : (uint16_t)0;
    }
    uint4 bits;
    memcpy(&bits, eight, sizeof bits);
    return bits;
}

/* Brings `rows` rows to shared memory, row i from base + place(i); rows from `count` on are 0.
 */
template <int D, typename Place>
static __device__ void load_rows(bf16 *tile, const bf16 *base, int rows, int count, int dim,
                                 Place place)
{
    bool wide = reads_wide(base, dim);
    for (int i = (int)threadIdx.x; i < rows * (D / 8); i += (int)blockDim.x) {
        int row = i / (D / 8);
        int d = i % (D / 8) * 8;
        uint4 bits = make_uint4(0, 0, 0, 0);
        if (row < count) {
            bits = read_eight(base + place(row), d, dim, wide);
        }
        *(uint4 *)(tile + row * (D + TILE_PAD) + d) = bits;
    }
}

/* The same, on its way beside what follows where rows can be read 16 bytes at a time; there
 * after copies_arrive and a barrier. */
template <int D, typename Place>
static __device__ void start_rows(bf16 *tile, const bf16 *base, int rows, int count, int dim,
                                  Place place)
{
    if (!reads_wide(base, dim)) {
        load_rows<D>(tile, base, rows, count, dim, place);
        return;
    }
    for (int i = (int)threadIdx.x; i < rows * (D / 8); i += (int)blockDim.x) {
        int row = i / (D / 8);
        int d = i % (D / 8) * 8;
        bool there = row < count && d < dim;
        start_copy(tile + row * (D + TILE_PAD) + d, there ? base + place(row) + d : base,
                   there);
    }
}

#endif
