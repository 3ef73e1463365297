/* runtime/ops/cuda/linear.cu: the linear layer, forward and backward. */
#include "runtime/ops/cuda/columns.cuh"
#include "runtime/ops/cuda/pack.cuh"

template <typename T>
static __global__ void add_bias(float *y, const T *bias, int64_t count, int64_t n)
{
    int64_t i = thread_number();
    if (i < count) {
        y[i] += read(bias, i % n);
    }
}

template <typename T> static void launch_bias(judo_tensor *y, const judo_tensor *bias)
{
    int64_t count = judo_tensor_count(y);
    judo_cuda_launch(add_bias<T>, judo_cuda_blocks(count), JUDO_CUDA_THREADS, 0,
                     (float *)y->data, (const T *)bias->data, count, y->dims[1]);
}

judo_status judo_cuda_linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias)
{
    JUDO_TRY(judo_linear_check_forward(y, x, w, bias));
    judo_cuda_product product = {};
    product.c = y->data;
    product.a = x->data;
    product.b = w->data;
    product.m = x->dims[0];
    product.n = w->dims[0];
    product.k = x->dims[1];
    product.dtype = x->dtype;
    product.c_dtype = y->dtype;
    product.transpose_b = true;
    /* The epilogue knows a bias of the result's dtype only. */
    product.bias = bias && y->dtype == x->dtype ? bias->data : NULL;
    JUDO_TRY(judo_cuda_matmul(&product));
    if (bias && y->dtype != x->dtype && judo_tensor_count(y) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_bias, y, bias);
    }
    return judo_cuda_launched("linear_forward");
}

/* cuBLASLt reads a matrix as it lies: no copy is wanted. */
int64_t judo_cuda_linear_packed_bytes(const judo_tensor *w)
{
    (void)w;
    return 0;
}

judo_status judo_cuda_linear_pack(void *packed, const judo_tensor *w)
{
    (void)packed;
    (void)w;
    return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "linear_pack: CUDA packs no matrices");
}

template <typename T> struct element_of {
    const T *x;
    int64_t n;

    __device__ float operator()(int64_t i, int64_t j) const
    {
        return read(x, i * n + j);
    }
};

/* What column_runs does, in the same order, with a pack of columns for each thread. */
template <typename T>
static __global__ void column_runs_wide(float *partial, const T *x, int64_t m, int64_t n)
{
    enum { PACK = pack_size<T>, FOUR = pack_size<float> };

    int64_t j = thread_number() * PACK;
    int64_t first = (int64_t)blockIdx.y * JUDO_CUDA_RUN;
    int64_t last = first + JUDO_CUDA_RUN < m ? first + JUDO_CUDA_RUN : m;
    if (j >= n) {
        return;
    }
    float sums[PACK / FOUR][FOUR] = {};
#pragma unroll 8
    for (int64_t i = first; i < last; i++) {
        float values[PACK];
        read_pack(values, x + i * n + j);
#pragma unroll
        for (int e = 0; e < PACK; e++) {
            sums[e / FOUR][e % FOUR] += values[e];
        }
    }
#pragma unroll
    for (int part = 0; part < PACK / FOUR; part++) {
        write_pack(partial + blockIdx.y * n + j + part * FOUR, sums[part]);
    }
}

template <typename T> static judo_status sum_wide_columns(float *sums, const judo_tensor *x)
{
    const int64_t n = x->dims[1];
    int64_t runs = 0;
    float *partial = NULL;
    JUDO_TRY(judo_cuda_open_runs(&partial, &runs, x->dims[0], n));
    dim3 grid(judo_cuda_blocks(n / pack_size<T>), (unsigned)runs);
    judo_cuda_launch(column_runs_wide<T>, grid, JUDO_CUDA_THREADS, 0, partial,
                     (const T *)x->data, x->dims[0], n);
    return judo_cuda_add_runs(sums, partial, runs, n);
}

/* By kernels of our own: cuBLASLt's epilogue BGRADA, which sums dy beside the product for dw,
 * would save this read of dy, a few hundredths of the layer's work; but it overwrites the
 * sums, which have to be added to, and not every pair of bf16 factors and fp32 result has it.
 */
template <typename T>
static void sum_columns(judo_status *status, judo_tensor *sums, const judo_tensor *x)
{
    const int64_t m = x->dims[0];
    const int64_t n = x->dims[1];
    if (m > 0 && n > 0 && n % pack_size<T> == 0 && judo_cuda_is_wide(x->data)) {
        *status = sum_wide_columns<T>((float *)sums->data, x);
        return;
    }
    element_of<T> value = {(const T *)x->data, n};
    *status = add_column_sums((float *)sums->data, value, m, n);
}

judo_status judo_cuda_linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                      judo_tensor *dbias, const judo_tensor *dy,
                                      const judo_tensor *x, const judo_tensor *w)
{
    JUDO_TRY(judo_linear_check_backward(dx, dw, dbias, dy, x, w));
    int64_t m = dy->dims[0];
    int64_t n = dy->dims[1];
    judo_cuda_product product = {};
    product.a = dy->data;
    product.dtype = dy->dtype;
    if (dx) {
        product.c = dx->data;
        product.b = w->data;
        product.m = m;
        product.n = w->dims[1];
        product.k = n;
        product.c_dtype = dy->dtype;
        product.accumulate = accumulate_dx;
        JUDO_TRY(judo_cuda_matmul(&product));
    }
    if (dw) {
        product.c = dw->data;
        product.b = x->data;
        product.m = n;
        product.n = x->dims[1];
        product.k = m;
        product.c_dtype = JUDO_F32;
        product.transpose_a = true;
        product.accumulate = true;
        JUDO_TRY(judo_cuda_matmul(&product));
    }
    judo_status status = JUDO_OK;
    if (dbias) {
        JUDO_CUDA_FOR_DTYPE(dy->dtype, sum_columns, &status, dbias, dy);
    }
    return status;
}
