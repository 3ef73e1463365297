/* runtime/ops/cuda/pointwise.cu: SwiGLU, GELU and sums. */
#include "runtime/ops/cuda/pack.cuh"

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

/* Rows of `width` elements; a row of an operand is `stride` elements behind the one before. */
template <typename T, typename Math> struct operands {
    T *out[Math::OUT];
    const T *in[Math::IN];
    int64_t out_strides[Math::OUT], in_strides[Math::IN];
    int64_t width;
    unsigned row_blocks; /* blocks that share a row */
    bool wide;           /* all rows begin where packs may */
};

template <typename T, typename Math>
static __device__ __forceinline__ void one_element(const operands<T, Math> &o, int64_t row,
                                                   int64_t i)
{
    float in[Math::IN];
    float out[Math::OUT];
#pragma unroll
    for (int k = 0; k < Math::IN; k++) {
        in[k] = read(o.in[k], row * o.in_strides[k] + i);
    }
    Math::at(out, in);
#pragma unroll
    for (int k = 0; k < Math::OUT; k++) {
        write(o.out[k], row * o.out_strides[k] + i, out[k]);
    }
}

template <typename T, typename Math>
static __device__ __forceinline__ void one_pack(const operands<T, Math> &o, int64_t row,
                                                int64_t first)
{
    float in[Math::IN][pack_size<T>];
    float out[Math::OUT][pack_size<T>];
#pragma unroll
    for (int k = 0; k < Math::IN; k++) {
        read_pack(in[k], o.in[k] + row * o.in_strides[k] + first);
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
        write_pack(o.out[k] + row * o.out_strides[k] + first, out[k]);
    }
}

/* A thread per pack; the last of a row may be less than one. */
template <typename T, typename Math>
static __global__ void each(const __grid_constant__ operands<T, Math> o)
{
    int64_t row = blockIdx.x / o.row_blocks;
    int64_t thread = (int64_t)(blockIdx.x % o.row_blocks) * blockDim.x + threadIdx.x;
    int64_t first = thread * pack_size<T>;
    if (o.wide && first + pack_size<T> <= o.width) {
        one_pack(o, row, first);
        return;
    }
    for (int64_t i = first; i < first + pack_size<T> && i < o.width; i++) {
        one_element(o, row, i);
    }
}

/* The rows of an operand. */
typedef struct operand_rows {
    void *data;
    int64_t stride;
} operand_rows;

/* All elements of a tensor as one row. */
static operand_rows one_row(const judo_tensor *t)
{
    return {t->data, 0};
}

static operand_rows rows_of(const judo_tensor *t)
{
    return {t->data, t->dims[1]};
}

/* The left (0) or the right (1) half of every row. */
static operand_rows half_rows(const judo_tensor *t, int side)
{
    int64_t bytes = t->dims[1] / 2 * side * judo_dtype_bytes(t->dtype);
    return {(char *)t->data + bytes, t->dims[1]};
}

/* `list`: outputs, then inputs. */
template <typename T, typename Math>
static void launch_each(int64_t rows, int64_t width, const operand_rows *list)
{
    operands<T, Math> o = {};
    int64_t packs = (width + pack_size<T> - 1) / pack_size<T>;
    o.width = width;
    o.row_blocks = judo_cuda_blocks(packs);
    o.wide = true;
    for (int k = 0; k < Math::OUT; k++) {
        o.out[k] = (T *)list[k].data;
        o.out_strides[k] = list[k].stride;
    }
    for (int k = 0; k < Math::IN; k++) {
        o.in[k] = (const T *)list[Math::OUT + k].data;
        o.in_strides[k] = list[Math::OUT + k].stride;
    }
    for (int k = 0; k < Math::OUT + Math::IN; k++) {
        o.wide =
            o.wide && judo_cuda_is_wide(list[k].data) && list[k].stride % pack_size<T> == 0;
    }
    if (rows * packs > 0) {
        judo_cuda_launch(each<T, Math>, (unsigned)rows * o.row_blocks, JUDO_CUDA_THREADS, 0, o);
    }
}

template <typename Math>
static judo_status run_rows(const char *op, judo_dtype dtype, int64_t rows, int64_t width,
                            const operand_rows (&list)[Math::OUT + Math::IN])
{
    if (dtype == JUDO_BF16) {
        launch_each<bf16, Math>(rows, width, list);
    } else {
        launch_each<float, Math>(rows, width, list);
    }
    return judo_cuda_launched(op);
}

/* `tensors`: outputs, then inputs, all of one shape. */
template <typename Math>
static judo_status run_each(const char *op,
                            const judo_tensor *const (&tensors)[Math::OUT + Math::IN])
{
    operand_rows list[Math::OUT + Math::IN];
    for (int k = 0; k < Math::OUT + Math::IN; k++) {
        list[k] = one_row(tensors[k]);
    }
    return run_rows<Math>(op, tensors[0]->dtype, 1, judo_tensor_count(tensors[0]), list);
}

judo_status judo_cuda_swiglu_forward(judo_tensor *y, const judo_tensor *gate_up)
{
    JUDO_TRY(judo_swiglu_check_forward(y, gate_up));
    return run_rows<swiglu>("swiglu_forward", y->dtype, y->dims[0], y->dims[1],
                            {rows_of(y), half_rows(gate_up, 0), half_rows(gate_up, 1)});
}

judo_status judo_cuda_swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                      const judo_tensor *gate_up)
{
    JUDO_TRY(judo_swiglu_check_backward(dgate_up, dy, gate_up));
    return run_rows<swiglu_slopes>("swiglu_backward", dy->dtype, dy->dims[0], dy->dims[1],
                                   {half_rows(dgate_up, 0), half_rows(dgate_up, 1), rows_of(dy),
                                    half_rows(gate_up, 0), half_rows(gate_up, 1)});
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
