/* runtime/ops/activation_cpu.c: SwiGLU and GELU, forward and backward. Element by element:
 * threads do not change bits. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

judo_status judo_cpu_swiglu_forward(judo_tensor *y, const judo_tensor *gate,
                                    const judo_tensor *up)
{
    const char *op = "swiglu_forward";
    JUDO_TRY(judo_cpu_expect_dims(op, "gate", gate, 0));
    JUDO_TRY(judo_cpu_expect_like(op, "up", up, gate));
    JUDO_TRY(judo_cpu_expect_like(op, "y", y, gate));
    int64_t count = judo_tensor_count(gate);
    const float *g = gate->data;
    const float *u = up->data;
    float *out = y->data;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        int64_t left = count - i;
        judo_vector x = judo_vector_load(g + i, left);
        judo_vector_store(out + i, x * judo_vector_sigmoid(x) * judo_vector_load(u + i, left),
                          left);
    }
    return JUDO_OK;
}

judo_status judo_cpu_swiglu_backward(judo_tensor *dgate, judo_tensor *dup,
                                     const judo_tensor *dy, const judo_tensor *gate,
                                     const judo_tensor *up)
{
    const char *op = "swiglu_backward";
    JUDO_TRY(judo_cpu_expect_dims(op, "gate", gate, 0));
    JUDO_TRY(judo_cpu_expect_like(op, "up", up, gate));
    JUDO_TRY(judo_cpu_expect_like(op, "dy", dy, gate));
    JUDO_TRY(judo_cpu_expect_like(op, "dgate", dgate, gate));
    JUDO_TRY(judo_cpu_expect_like(op, "dup", dup, gate));
    int64_t count = judo_tensor_count(gate);
    const float *g = gate->data;
    const float *u = up->data;
    const float *slope = dy->data;
    float *dg = dgate->data;
    float *du = dup->data;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        int64_t left = count - i;
        judo_vector x = judo_vector_load(g + i, left);
        judo_vector d = judo_vector_load(slope + i, left);
        judo_vector sigmoid = judo_vector_sigmoid(x);
        judo_vector silu = x * sigmoid;
        judo_vector gate_slope = sigmoid + silu * (judo_vector_all(1.0f) - sigmoid);
        judo_vector gate_gradient = d * judo_vector_load(u + i, left) * gate_slope;
        judo_vector_store(dg + i, gate_gradient, left); /* may be gate: all reads came first */
        judo_vector_store(du + i, d * silu, left);
    }
    return JUDO_OK;
}

/* The cumulative normal distribution, from erf(x / sqrt 2). */
JUDO_INLINE judo_vector normal_cumulative(judo_vector x)
{
    return judo_vector_all(0.5f) *
           (judo_vector_all(1.0f) + judo_vector_erf(x * judo_vector_all(0x1.6a09e6p-1f)));
}

judo_status judo_cpu_gelu_forward(judo_tensor *y, const judo_tensor *x)
{
    const char *op = "gelu_forward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 0));
    JUDO_TRY(judo_cpu_expect_like(op, "y", y, x));
    int64_t count = judo_tensor_count(x);
    const float *in = x->data;
    float *out = y->data;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        int64_t left = count - i;
        judo_vector v = judo_vector_load(in + i, left);
        judo_vector_store(out + i, v * normal_cumulative(v), left);
    }
    return JUDO_OK;
}

judo_status judo_cpu_gelu_backward(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    const char *op = "gelu_backward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 0));
    JUDO_TRY(judo_cpu_expect_like(op, "dy", dy, x));
    JUDO_TRY(judo_cpu_expect_like(op, "dx", dx, x));
    int64_t count = judo_tensor_count(x);
    const float *in = x->data;
    const float *slope = dy->data;
    float *out = dx->data;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i += JUDO_LANES) {
        int64_t left = count - i;
        judo_vector v = judo_vector_load(in + i, left);
        judo_vector density = judo_vector_all(0x1.988454p-2f) * /* 1 / sqrt(2 pi) */
                              judo_vector_exp(judo_vector_all(-0.5f) * v * v);
        judo_vector result =
            judo_vector_load(slope + i, left) * (normal_cumulative(v) + v * density);
        judo_vector_store(out + i, result, left);
    }
    return JUDO_OK;
}
