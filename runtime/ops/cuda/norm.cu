/* runtime/ops/cuda/norm.cu: RMSNorm forward and backward, LayerNorm forward; a block per row.
 */
#include "runtime/ops/cuda/columns.cuh"

/* rstd and dw may be NULL. */
template <typename T>
static __global__ void rmsnorm_row(T *y, float *rstd, const T *x, const T *w, int64_t n,
                                   float epsilon)
{
    int64_t row = blockIdx.x;
    float squares = 0.0f;
    x += row * n;
    y += row * n;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        float v = read(x, j);
        squares = fmaf(v, v, squares);
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / (float)n + epsilon);
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        write(y, j, read(x, j) * scale * read(w, j));
    }
    if (rstd && threadIdx.x == 0) {
        rstd[row] = scale;
    }
}

template <typename T>
static void launch_rmsnorm(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                           const judo_tensor *w, float epsilon)
{
    judo_cuda_launch(rmsnorm_row<T>, (unsigned)x->dims[0], JUDO_CUDA_THREADS, 0, (T *)y->data,
                     rstd ? (float *)rstd->data : NULL, (const T *)x->data, (const T *)w->data,
                     x->dims[1], epsilon);
}

judo_status judo_cuda_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                      const judo_tensor *w, float epsilon)
{
    JUDO_TRY(judo_rmsnorm_check_forward(y, rstd, x, w));
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_rmsnorm, y, rstd, x, w, epsilon);
    }
    return judo_cuda_launched("rmsnorm_forward");
}

/* dx += rstd (w dy - x rstd^2 mean(w dy x)). */
template <typename T>
static __global__ void rmsnorm_backward_row(T *dx, const T *dy, const T *x, const T *w,
                                            const float *rstd, int64_t n)
{
    int64_t first = (int64_t)blockIdx.x * n;
    float scale = rstd[blockIdx.x];
    float along = 0.0f;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        along = fmaf(read(w, j) * read(dy, first + j), read(x, first + j), along);
    }
    float factor = block_sum(along) * scale * scale / (float)n;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        float slope = read(w, j) * read(dy, first + j) - read(x, first + j) * factor;
        write(dx, first + j, read(dx, first + j) + scale * slope);
    }
}

/* What a row adds to the gradient of the weights. */
template <typename T> struct weight_slope {
    const T *dy, *x;
    const float *rstd;
    int64_t n;

    __device__ float operator()(int64_t i, int64_t j) const
    {
        return read(dy, i * n + j) * read(x, i * n + j) * rstd[i];
    }
};

template <typename T>
static void launch_rmsnorm_backward(judo_status *status, judo_tensor *dx, judo_tensor *dw,
                                    const judo_tensor *dy, const judo_tensor *x,
                                    const judo_tensor *w, const judo_tensor *rstd)
{
    const float *scales = (const float *)rstd->data;
    int64_t n = x->dims[1];
    if (dw) {
        weight_slope<T> value = {(const T *)dy->data, (const T *)x->data, scales, n};
        *status = add_column_sums((float *)dw->data, value, x->dims[0], n);
    }
    judo_cuda_launch(rmsnorm_backward_row<T>, (unsigned)x->dims[0], JUDO_CUDA_THREADS, 0,
                     (T *)dx->data, (const T *)dy->data, (const T *)x->data, (const T *)w->data,
                     scales, n);
}

judo_status judo_cuda_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                       const judo_tensor *x, const judo_tensor *w,
                                       const judo_tensor *rstd)
{
    JUDO_TRY(judo_rmsnorm_check_backward(dx, dw, dy, x, w, rstd));
    judo_status status = JUDO_OK;
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_rmsnorm_backward, &status, dx, dw, dy, x, w, rstd);
    }
    JUDO_TRY(status);
    return judo_cuda_launched("rmsnorm_backward");
}

template <typename T>
static __global__ void layernorm_row(T *y, const T *x, const T *w, const T *bias, int64_t n,
                                     float epsilon)
{
    int64_t first = (int64_t)blockIdx.x * n;
    float sum = 0.0f;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        sum += read(x, first + j);
    }
    float mean = block_sum(sum) / (float)n;
    float squares = 0.0f;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        float v = read(x, first + j) - mean;
        squares = fmaf(v, v, squares);
    }
    float scale = 1.0f / sqrtf(block_sum(squares) / (float)n + epsilon);
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
        float v = (read(x, first + j) - mean) * scale;
        write(y, first + j, v * read(w, j) + read(bias, j));
    }
}

template <typename T>
static void launch_layernorm(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                             const judo_tensor *bias, float epsilon)
{
    judo_cuda_launch(layernorm_row<T>, (unsigned)x->dims[0], JUDO_CUDA_THREADS, 0, (T *)y->data,
                     (const T *)x->data, (const T *)w->data, (const T *)bias->data, x->dims[1],
                     epsilon);
}

judo_status judo_cuda_layernorm_forward(judo_tensor *y, const judo_tensor *x,
                                        const judo_tensor *w, const judo_tensor *bias,
                                        float epsilon)
{
    JUDO_TRY(judo_layernorm_check_forward(y, x, w, bias));
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_layernorm, y, x, w, bias, epsilon);
    }
    return judo_cuda_launched("layernorm_forward");
}
