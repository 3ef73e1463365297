/* runtime/ops/activation_cpu.c: SwiGLU and GELU, forward and backward. Element by element:
 * threads do not change bits. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* Elements that one thread takes at a time. */
enum { CHUNK = 2048 };

/* Columns [first, first + CHUNK) of a row of y[width] and gate_up[2 width]. */
JUDO_INLINE void swiglu_chunk(void *y, const void *gate_up, int64_t first, int64_t width,
                              judo_dtype dtype)
{
    int64_t last = width - first < CHUNK ? width : first + CHUNK;
    for (int64_t i = first; i < last; i += JUDO_LANES) {
        judo_vector x = judo_vector_read(gate_up, dtype, i, last - i);
        judo_vector result =
            x * judo_vector_sigmoid(x) * judo_vector_read(gate_up, dtype, width + i, last - i);
        judo_vector_write(y, dtype, i, result, last - i);
    }
}

judo_status judo_cpu_swiglu_forward(judo_tensor *y, const judo_tensor *gate_up)
{
    JUDO_TRY(judo_swiglu_check_forward(y, gate_up));
    judo_dtype dtype = y->dtype;
    int64_t width = y->dims[1];
    int64_t chunks = (width + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static)                                                      \
    num_threads(judo_cpu_threads_for(judo_tensor_count(y)))
    for (int64_t i = 0; i < y->dims[0] * chunks; i++) {
        int64_t row = i / chunks;
        JUDO_FOR_DTYPE(dtype, swiglu_chunk, judo_cpu_to(y->data, dtype, row * width),
                       judo_cpu_at(gate_up->data, dtype, row * 2 * width), i % chunks * CHUNK,
                       width);
    }
    return JUDO_OK;
}

JUDO_INLINE void swiglu_backward_chunk(void *dgate_up, const void *dy, const void *gate_up,
                                       int64_t first, int64_t width, judo_dtype dtype)
{
    int64_t last = width - first < CHUNK ? width : first + CHUNK;
    for (int64_t i = first; i < last; i += JUDO_LANES) {
        int64_t left = last - i;
        judo_vector x = judo_vector_read(gate_up, dtype, i, left);
        judo_vector d = judo_vector_read(dy, dtype, i, left);
        judo_vector sigmoid = judo_vector_sigmoid(x);
        judo_vector silu = x * sigmoid;
        judo_vector gate_slope = sigmoid + silu * (judo_vector_all(1.0f) - sigmoid);
        judo_vector gate_gradient =
            d * judo_vector_read(gate_up, dtype, width + i, left) * gate_slope;
        /* may be gate_up: all reads came first */
        judo_vector_write(dgate_up, dtype, i, gate_gradient, left);
        judo_vector_write(dgate_up, dtype, width + i, d * silu, left);
    }
}

judo_status judo_cpu_swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                     const judo_tensor *gate_up)
{
    JUDO_TRY(judo_swiglu_check_backward(dgate_up, dy, gate_up));
    judo_dtype dtype = dy->dtype;
    int64_t width = dy->dims[1];
    int64_t chunks = (width + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static)                                                      \
    num_threads(judo_cpu_threads_for(judo_tensor_count(dy)))
    for (int64_t i = 0; i < dy->dims[0] * chunks; i++) {
        int64_t row = i / chunks;
        JUDO_FOR_DTYPE(
            dtype, swiglu_backward_chunk, judo_cpu_to(dgate_up->data, dtype, row * 2 * width),
            judo_cpu_at(dy->data, dtype, row * width),
            judo_cpu_at(gate_up->data, dtype, row * 2 * width), i % chunks * CHUNK, width);
    }
    return JUDO_OK;
}

/* The cumulative normal distribution, from erf(x / sqrt 2). */
JUDO_INLINE judo_vector normal_cumulative(judo_vector x)
{
    return judo_vector_all(0.5f) *
           (judo_vector_all(1.0f) + judo_vector_erf(x * judo_vector_all(0x1.6a09e6p-1f)));
}

JUDO_INLINE void gelu_chunk(void *y, const void *x, int64_t first, int64_t count,
                            judo_dtype dtype)
{
    int64_t last = count - first < CHUNK ? count : first + CHUNK;
    for (int64_t i = first; i < last; i += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, i, last - i);
        judo_vector_write(y, dtype, i, v * normal_cumulative(v), last - i);
    }
}

judo_status judo_cpu_gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_forward(y, x));
    int64_t count = judo_tensor_count(x);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += CHUNK) {
        JUDO_FOR_DTYPE(x->dtype, gelu_chunk, y->data, x->data, i, count);
    }
    return JUDO_OK;
}

JUDO_INLINE void gelu_backward_chunk(void *dx, const void *dy, const void *x, int64_t first,
                                     int64_t count, judo_dtype dtype)
{
    int64_t last = count - first < CHUNK ? count : first + CHUNK;
    for (int64_t i = first; i < last; i += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, i, last - i);
        judo_vector density = judo_vector_all(0x1.988454p-2f) * /* 1 / sqrt(2 pi) */
                              judo_vector_exp(judo_vector_all(-0.5f) * v * v);
        judo_vector result =
            judo_vector_read(dy, dtype, i, last - i) * (normal_cumulative(v) + v * density);
        judo_vector_write(dx, dtype, i, result, last - i);
    }
}

judo_status judo_cpu_gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    JUDO_TRY(judo_gelu_check_backward(dx, dy, x));
    int64_t count = judo_tensor_count(x);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += CHUNK) {
        JUDO_FOR_DTYPE(x->dtype, gelu_backward_chunk, dx->data, dy->data, x->data, i, count);
    }
    return JUDO_OK;
}
