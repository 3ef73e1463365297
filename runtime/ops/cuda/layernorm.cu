/* runtime/ops/cuda/layernorm.cu: LayerNorm forward, a block per row. */
#include "runtime/ops/cuda/kernel.cuh"

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
