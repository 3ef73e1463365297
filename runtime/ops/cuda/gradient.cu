/* runtime/ops/cuda/gradient.cu: what is done with kept gradients: squares and sums. */
#include "runtime/ops/cuda/pack.cuh"

enum { STRIPS = 512 }; /* as many blocks for any length: one order of the sum */

/* Elements from i on, of which `left` are there; zeros behind them. */
template <typename T>
static __device__ __forceinline__ void read_some(float (&out)[pack_size<T>], const T *x,
                                                 int64_t i, int64_t left, bool wide)
{
    if (wide && left >= pack_size<T>) {
        read_pack(out, x + i);
        return;
    }
#pragma unroll
    for (int j = 0; j < pack_size<T>; j++) {
        out[j] = j < left ? read(x, i + j) : 0.0f;
    }
}

/* A block per strip of whole packs. A thread has a sum for each place of a pack; which element
 * goes into which sum says the count alone. */
template <typename T>
static __global__ void sum_strip(double *sums, const T *x, int64_t n, int64_t width, bool wide)
{
    enum { PACK = pack_size<T> };

    int64_t first = blockIdx.x * width;
    int64_t last = first + width < n ? first + width : n;
    double parts[PACK] = {};
#pragma unroll 4
    for (int64_t i = first + (int64_t)threadIdx.x * PACK; i < last;
         i += (int64_t)JUDO_CUDA_THREADS * PACK) {
        float values[PACK];
        read_some(values, x, i, last - i, wide);
#pragma unroll
        for (int j = 0; j < PACK; j++) {
            parts[j] += (double)values[j] * (double)values[j];
        }
    }
    double sum = 0.0;
#pragma unroll
    for (int j = 0; j < PACK; j++) {
        sum += parts[j];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

template <typename T> static void launch_sum(double *sums, const judo_tensor *x)
{
    const int64_t n = judo_tensor_count(x);
    const int64_t packs = (n + pack_size<T> - 1) / pack_size<T>;
    const int64_t width = (packs + STRIPS - 1) / STRIPS * pack_size<T>;
    judo_cuda_launch(sum_strip<T>, STRIPS, JUDO_CUDA_THREADS, 0, sums, (const T *)x->data, n,
                     width, judo_cuda_is_wide(x->data));
}

judo_status judo_cuda_sum_of_squares(double *sum, const judo_tensor *x)
{
    double sums[STRIPS];
    void *memory = NULL;
    JUDO_TRY(judo_expect_dims("sum_of_squares", "x", x, 0));
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP, (int64_t)sizeof sums));
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_sum, (double *)memory, x);
    JUDO_TRY(judo_cuda_launched("sum_of_squares"));
    JUDO_TRY(judo_cuda_fetch(sums, memory, (int64_t)sizeof sums));
    double total = 0.0;
    for (int i = 0; i < STRIPS; i++) {
        total += sums[i];
    }
    *sum = total;
    return JUDO_OK;
}

enum { EIGHT = pack_size<bf16> };

/* A thread per eight elements; the last may be fewer. */
static __global__ void add_and_round(bf16 *y, const float *x, int64_t n, bool wide)
{
    int64_t first = thread_number() * EIGHT;
    if (!wide || first + EIGHT > n) {
        for (int64_t i = first; i < first + EIGHT && i < n; i++) {
            write(y, i, read(y, i) + x[i]);
        }
        return;
    }
    float sums[EIGHT];
    float values[2][EIGHT / 2];
    read_pack(sums, y + first);
    read_pack(values[0], x + first);
    read_pack(values[1], x + first + EIGHT / 2);
#pragma unroll
    for (int i = 0; i < EIGHT; i++) {
        sums[i] += values[i / (EIGHT / 2)][i % (EIGHT / 2)];
    }
    write_pack(y + first, sums);
}

judo_status judo_cuda_add_rounded(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_add_rounded_check(y, x));
    const int64_t count = judo_tensor_count(y);
    if (count > 0) {
        judo_cuda_launch(add_and_round, judo_cuda_blocks((count + EIGHT - 1) / EIGHT),
                         JUDO_CUDA_THREADS, 0, (bf16 *)y->data, (const float *)x->data, count,
                         judo_cuda_is_wide(y->data) && judo_cuda_is_wide(x->data));
    }
    return judo_cuda_launched("add_rounded");
}
