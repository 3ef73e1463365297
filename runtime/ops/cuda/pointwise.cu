/* runtime/ops/cuda/pointwise.cu: rotary, SwiGLU, GELU and sums; a thread per element. */
#include "runtime/ops/cuda/kernel.cuh"

/* A thread per pair (j, j + pairs) of head `i / pairs`. */
template <typename T>
static __global__ void rotate(T *x, const float *cosines, const float *sines, float sign,
                              int64_t heads, int64_t pairs, int64_t count)
{
    int64_t i = thread_number();
    if (i >= count) {
        return;
    }
    int64_t head = i / pairs;
    int64_t j = i % pairs;
    int64_t angle = head / heads * pairs + j;
    int64_t low = head * 2 * pairs + j;
    float a = read(x, low);
    float b = read(x, low + pairs);
    float cosine = cosines[angle];
    float sine = sign * sines[angle];
    write(x, low, a * cosine - b * sine);
    write(x, low + pairs, b * cosine + a * sine);
}

template <typename T>
static void launch_rotate(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                          bool inverse)
{
    int64_t pairs = x->dims[2] / 2;
    int64_t count = x->dims[0] * x->dims[1] * pairs;
    judo_cuda_launch(rotate<T>, judo_cuda_blocks(count), JUDO_CUDA_THREADS, 0, (T *)x->data,
                     (const float *)cos->data, (const float *)sin->data, inverse ? -1.0f : 1.0f,
                     x->dims[1], pairs, count);
}

judo_status judo_cuda_rotary(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                             bool inverse)
{
    JUDO_TRY(judo_rotary_check(x, cos, sin));
    if (judo_tensor_count(x) > 0) {
        JUDO_CUDA_FOR_DTYPE(x->dtype, launch_rotate, x, cos, sin, inverse);
    }
    return judo_cuda_launched("rotary");
}

static __device__ __forceinline__ float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* The cumulative normal distribution. */
static __device__ __forceinline__ float normal_cumulative(float x)
{
    return 0.5f * (1.0f + erff(x * 0x1.6a09e6p-1f));
}

template <typename T> struct swiglu {
    T *y;
    const T *gate, *up;

    __device__ void operator()(int64_t i) const
    {
        float x = read(gate, i);
        write(y, i, x * sigmoid(x) * read(up, i));
    }
};

/* Outputs may be the inputs: all reads come first. */
template <typename T> struct swiglu_slopes {
    T *dgate, *dup;
    const T *dy, *gate, *up;

    __device__ void operator()(int64_t i) const
    {
        float x = read(gate, i);
        float d = read(dy, i);
        float u = read(up, i);
        float s = sigmoid(x);
        float silu = x * s;
        write(dgate, i, d * u * (s + silu * (1.0f - s)));
        write(dup, i, d * silu);
    }
};

template <typename T> struct gelu {
    T *y;
    const T *x;

    __device__ void operator()(int64_t i) const
    {
        float v = read(x, i);
        write(y, i, v * normal_cumulative(v));
    }
};

template <typename T> struct gelu_slope {
    T *dx;
    const T *dy, *x;

    __device__ void operator()(int64_t i) const
    {
        float v = read(x, i);
        float density = 0x1.988454p-2f * expf(-0.5f * v * v); /* 1 / sqrt(2 pi) */
        write(dx, i, read(dy, i) * (normal_cumulative(v) + v * density));
    }
};

template <typename T> struct sum_with {
    T *y;
    const T *x;

    __device__ void operator()(int64_t i) const
    {
        write(y, i, read(y, i) + read(x, i));
    }
};

template <typename To, typename From> struct converted {
    To *y;
    const From *x;

    __device__ void operator()(int64_t i) const
    {
        write(y, i, read(x, i));
    }
};

template <typename Element> static __global__ void each(Element element, int64_t count)
{
    int64_t i = thread_number();
    if (i < count) {
        element(i);
    }
}

/* Calls element(i) for every element of the tensors. */
template <typename Element>
static void for_each(const judo_tensor *shape, const Element &element)
{
    int64_t count = judo_tensor_count(shape);
    if (count > 0) {
        judo_cuda_launch(each<Element>, judo_cuda_blocks(count), JUDO_CUDA_THREADS, 0, element,
                         count);
    }
}

template <typename T>
static void launch_swiglu(judo_tensor *y, const judo_tensor *gate, const judo_tensor *up)
{
    for_each(y, swiglu<T>{(T *)y->data, (const T *)gate->data, (const T *)up->data});
}

judo_status judo_cuda_swiglu_forward(judo_tensor *y, const judo_tensor *gate,
                                     const judo_tensor *up)
{
    JUDO_TRY(judo_swiglu_check_forward(y, gate, up));
    JUDO_CUDA_FOR_DTYPE(gate->dtype, launch_swiglu, y, gate, up);
    return judo_cuda_launched("swiglu_forward");
}

template <typename T>
static void launch_swiglu_slopes(judo_tensor *dgate, judo_tensor *dup, const judo_tensor *dy,
                                 const judo_tensor *gate, const judo_tensor *up)
{
    for_each(gate, swiglu_slopes<T>{(T *)dgate->data, (T *)dup->data, (const T *)dy->data,
                                    (const T *)gate->data, (const T *)up->data});
}

judo_status judo_cuda_swiglu_backward(judo_tensor *dgate, judo_tensor *dup,
                                      const judo_tensor *dy, const judo_tensor *gate,
                                      const judo_tensor *up)
{
    JUDO_TRY(judo_swiglu_check_backward(dgate, dup, dy, gate, up));
    JUDO_CUDA_FOR_DTYPE(gate->dtype, launch_swiglu_slopes, dgate, dup, dy, gate, up);
    return judo_cuda_launched("swiglu_backward");
}

template <typename T> static void launch_gelu(judo_tensor *y, const judo_tensor *x)
{
    for_each(x, gelu<T>{(T *)y->data, (const T *)x->data});
}

judo_status judo_cuda_gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_forward(y, x));
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_gelu, y, x);
    return judo_cuda_launched("gelu_forward");
}

template <typename T>
static void launch_gelu_slope(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    for_each(x, gelu_slope<T>{(T *)dx->data, (const T *)dy->data, (const T *)x->data});
}

judo_status judo_cuda_gelu_backward(judo_tensor *dx, const judo_tensor *dy,
                                    const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_backward(dx, dy, x));
    JUDO_CUDA_FOR_DTYPE(x->dtype, launch_gelu_slope, dx, dy, x);
    return judo_cuda_launched("gelu_backward");
}

template <typename T> static void launch_add(judo_tensor *y, const judo_tensor *x)
{
    for_each(y, sum_with<T>{(T *)y->data, (const T *)x->data});
}

judo_status judo_cuda_add(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_add_check(y, x));
    JUDO_CUDA_FOR_DTYPE(y->dtype, launch_add, y, x);
    return judo_cuda_launched("add");
}

template <typename To> static void launch_convert(judo_tensor *y, const judo_tensor *x)
{
    if (x->dtype == JUDO_BF16) {
        for_each(y, converted<To, bf16>{(To *)y->data, (const bf16 *)x->data});
    } else {
        for_each(y, converted<To, float>{(To *)y->data, (const float *)x->data});
    }
}

judo_status judo_cuda_convert(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_convert_check(y, x));
    JUDO_CUDA_FOR_DTYPE(y->dtype, launch_convert, y, x);
    return judo_cuda_launched("convert");
}
