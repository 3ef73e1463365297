/* runtime/ops/cuda/pointwise.cu: rotary, SwiGLU, GELU and sums. */
#include "runtime/ops/cuda/pack.cuh"

/* A block per token, a thread per STEP pairs (j, j + pairs) of a head. */
template <typename T, int STEP>
static __global__ void rotate(T *x, const float *cosines, const float *sines, float sign,
                              int heads, int pairs)
{
    int64_t token = blockIdx.x;
    int steps = pairs / STEP;
    for (int i = (int)threadIdx.x; i < heads * steps; i += (int)blockDim.x) {
        int j = i % steps * STEP;
        T *low = x + (token * heads + i / steps) * 2 * pairs + j;
        float a[STEP];
        float b[STEP];
        if constexpr (STEP == 1) {
            a[0] = read(low, 0);
            b[0] = read(low, pairs);
        } else {
            read_pack(a, low);
            read_pack(b, low + pairs);
        }
#pragma unroll
        for (int e = 0; e < STEP; e++) {
            float cosine = cosines[token * pairs + j + e];
            float sine = sign * sines[token * pairs + j + e];
            float turned = a[e] * cosine - b[e] * sine;
            b[e] = b[e] * cosine + a[e] * sine;
            a[e] = turned;
        }
        if constexpr (STEP == 1) {
            write(low, 0, a[0]);
            write(low, pairs, b[0]);
        } else {
            write_pack(low, a);
            write_pack(low + pairs, b);
        }
    }
}

template <typename T>
static void launch_rotate(judo_tensor *x, const judo_tensor *cos, const judo_tensor *sin,
                          bool inverse)
{
    int heads = (int)x->dims[1];
    int pairs = (int)x->dims[2] / 2;
    bool wide = pairs % pack_size<T> == 0 && judo_cuda_is_wide(x->data);
    auto kernel = wide ? rotate<T, pack_size<T>> : rotate<T, 1>;
    judo_cuda_launch(kernel, (unsigned)x->dims[0], JUDO_CUDA_THREADS, 0, (T *)x->data,
                     (const float *)cos->data, (const float *)sin->data, inverse ? -1.0f : 1.0f,
                     heads, pairs);
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

/* What is done to each element: OUT numbers of IN. Outputs may be the inputs: a thread's reads
 * come first. */
struct swiglu {
    enum { IN = 2, OUT = 1 };

    __device__ static void at(float (&y)[OUT], const float (&x)[IN])
    {
        y[0] = x[0] * sigmoid(x[0]) * x[1];
    }
};

/* From dy, gate and up to dgate and dup. */
struct swiglu_slopes {
    enum { IN = 3, OUT = 2 };

    __device__ static void at(float (&y)[OUT], const float (&x)[IN])
    {
        float s = sigmoid(x[1]);
        float silu = x[1] * s;
        y[0] = x[0] * x[2] * (s + silu * (1.0f - s));
        y[1] = x[0] * silu;
    }
};

struct gelu {
    enum { IN = 1, OUT = 1 };

    __device__ static void at(float (&y)[OUT], const float (&x)[IN])
    {
        y[0] = x[0] * normal_cumulative(x[0]);
    }
};

/* From dy and x to dx. */
struct gelu_slope {
    enum { IN = 2, OUT = 1 };

    __device__ static void at(float (&y)[OUT], const float (&x)[IN])
    {
        float density = 0x1.988454p-2f * expf(-0.5f * x[1] * x[1]); /* 1 / sqrt(2 pi) */
        y[0] = x[0] * (normal_cumulative(x[1]) + x[1] * density);
    }
};

struct sum_of_two {
    enum { IN = 2, OUT = 1 };

    __device__ static void at(float (&y)[OUT], const float (&x)[IN])
    {
        y[0] = x[0] + x[1];
    }
};

template <typename T, typename Math> struct operands {
    T *out[Math::OUT];
    const T *in[Math::IN];
    int64_t count;
    bool wide; /* all begin where packs may */
};

template <typename T, typename Math>
static __device__ __forceinline__ void one_element(const operands<T, Math> &o, int64_t i)
{
    float in[Math::IN];
    float out[Math::OUT];
#pragma unroll
    for (int k = 0; k < Math::IN; k++) {
        in[k] = read(o.in[k], i);
    }
    Math::at(out, in);
#pragma unroll
    for (int k = 0; k < Math::OUT; k++) {
        write(o.out[k], i, out[k]);
    }
}

template <typename T, typename Math>
static __device__ __forceinline__ void one_pack(const operands<T, Math> &o, int64_t first)
{
    float in[Math::IN][pack_size<T>];
    float out[Math::OUT][pack_size<T>];
#pragma unroll
    for (int k = 0; k < Math::IN; k++) {
        read_pack(in[k], o.in[k] + first);
    }
#pragma unroll
    for (int i = 0; i < pack_size<T>; i++) {
        float x[Math::IN];
        float y[Math::OUT];
#pragma unroll
        for (int k = 0; k < Math::IN; k++) {
            x[k] = in[k][i];
        }
        Math::at(y, x);
#pragma unroll
        for (int k = 0; k < Math::OUT; k++) {
            out[k][i] = y[k];
        }
    }
#pragma unroll
    for (int k = 0; k < Math::OUT; k++) {
        write_pack(o.out[k] + first, out[k]);
    }
}

/* A thread per pack; the last may be less than one. */
template <typename T, typename Math>
static __global__ void each(const __grid_constant__ operands<T, Math> o)
{
    int64_t first = thread_number() * pack_size<T>;
    if (o.wide && first + pack_size<T> <= o.count) {
        one_pack(o, first);
        return;
    }
    for (int64_t i = first; i < first + pack_size<T> && i < o.count; i++) {
        one_element(o, i);
    }
}

/* `tensors`: outputs, then inputs, all of T and of one shape. */
template <typename T, typename Math> static void launch_each(const judo_tensor *const *tensors)
{
    operands<T, Math> o = {};
    o.count = judo_tensor_count(tensors[0]);
    o.wide = true;
    for (int k = 0; k < Math::OUT; k++) {
        o.out[k] = (T *)tensors[k]->data;
        o.wide = o.wide && judo_cuda_is_wide(o.out[k]);
    }
    for (int k = 0; k < Math::IN; k++) {
        o.in[k] = (const T *)tensors[Math::OUT + k]->data;
        o.wide = o.wide && judo_cuda_is_wide(o.in[k]);
    }
    int64_t packs = (o.count + pack_size<T> - 1) / pack_size<T>;
    if (packs > 0) {
        judo_cuda_launch(each<T, Math>, judo_cuda_blocks(packs), JUDO_CUDA_THREADS, 0, o);
    }
}

template <typename Math>
static judo_status run_each(const char *op,
                            const judo_tensor *const (&tensors)[Math::OUT + Math::IN])
{
    if (tensors[0]->dtype == JUDO_BF16) {
        launch_each<bf16, Math>(tensors);
    } else {
        launch_each<float, Math>(tensors);
    }
    return judo_cuda_launched(op);
}

judo_status judo_cuda_swiglu_forward(judo_tensor *y, const judo_tensor *gate,
                                     const judo_tensor *up)
{
    JUDO_TRY(judo_swiglu_check_forward(y, gate, up));
    return run_each<swiglu>("swiglu_forward", {y, gate, up});
}

judo_status judo_cuda_swiglu_backward(judo_tensor *dgate, judo_tensor *dup,
                                      const judo_tensor *dy, const judo_tensor *gate,
                                      const judo_tensor *up)
{
    JUDO_TRY(judo_swiglu_check_backward(dgate, dup, dy, gate, up));
    return run_each<swiglu_slopes>("swiglu_backward", {dgate, dup, dy, gate, up});
}

judo_status judo_cuda_gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_forward(y, x));
    return run_each<gelu>("gelu_forward", {y, x});
}

judo_status judo_cuda_gelu_backward(judo_tensor *dx, const judo_tensor *dy,
                                    const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_backward(dx, dy, x));
    return run_each<gelu_slope>("gelu_backward", {dx, dy, x});
}

judo_status judo_cuda_add(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_add_check(y, x));
    return run_each<sum_of_two>("add", {y, y, x});
}
