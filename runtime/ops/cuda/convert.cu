/* runtime/ops/cuda/convert.cu: elements of one floating dtype as another; a thread each. */
#include "runtime/ops/cuda/kernel.cuh"

template <typename To, typename From>
static __global__ void convert(To *y, const From *x, int64_t count)
{
    int64_t i = thread_number();
    if (i < count) {
        write(y, i, read(x, i));
    }
}

template <typename From> static void launch_convert(judo_tensor *y, const judo_tensor *x)
{
    int64_t count = judo_tensor_count(y);
    unsigned blocks = judo_cuda_blocks(count);
    const From *from = (const From *)x->data;
    if (y->dtype == JUDO_BF16) {
        judo_cuda_launch(convert<bf16, From>, blocks, JUDO_CUDA_THREADS, 0, (bf16 *)y->data,
                         from, count);
    } else {
        judo_cuda_launch(convert<float, From>, blocks, JUDO_CUDA_THREADS, 0, (float *)y->data,
                         from, count);
    }
}

judo_status judo_cuda_convert(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_convert_check(y, x));
    if (judo_tensor_count(y) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_convert, y, x);
    }
    return judo_cuda_launched("convert");
}
