/* runtime/ops/cuda/linear.cu: the linear layer, forward and backward. */
#include "runtime/ops/cuda/columns.cuh"

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

template <typename T>
static void sum_columns(judo_status *status, judo_tensor *sums, const judo_tensor *x)
{
    element_of<T> value = {(const T *)x->data, x->dims[1]};
    *status = add_column_sums((float *)sums->data, value, x->dims[0], x->dims[1]);
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
