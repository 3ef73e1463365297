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
#pragma omp parallel for simd schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i++) {
        out[i] = g[i] * judo_sigmoid(g[i]) * u[i];
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
    const float *d = dy->data;
    float *dg = dgate->data;
    float *du = dup->data;
#pragma omp parallel for simd schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i++) {
        float sigmoid = judo_sigmoid(g[i]);
        float silu = g[i] * sigmoid;
        float slope = sigmoid + silu * (1.0f - sigmoid);
        float gate_gradient = d[i] * u[i] * slope;
        float up_gradient = d[i] * silu;
        dg[i] = gate_gradient; /* may be gate: all reads come first */
        du[i] = up_gradient;
    }
    return JUDO_OK;
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
    for (int64_t i = 0; i < count; i++) {
        out[i] = 0.5f * in[i] * (1.0f + erff(in[i] * 0x1.6a09e6p-1f)); /* 1 / sqrt 2 */
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
    const float *d = dy->data;
    float *out = dx->data;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(count))
    for (int64_t i = 0; i < count; i++) {
        float cumulative = 0.5f * (1.0f + erff(in[i] * 0x1.6a09e6p-1f));
        float density = 0x1.988454p-2f * judo_exp(-0.5f * in[i] * in[i]); /* 1 / sqrt(2 pi) */
        out[i] = d[i] * (cumulative + in[i] * density);
    }
    return JUDO_OK;
}
