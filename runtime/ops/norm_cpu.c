/* runtime/ops/norm_cpu.c: RMSNorm forward and backward, LayerNorm forward. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* Sum of a[i] b[i] in 16 lanes. */
static float dot(const float *a, const float *b, int64_t n)
{
    judo_vector sum = {0};
    for (int64_t i = 0; i < n; i += JUDO_LANES) {
        sum = judo_vector_fma(judo_vector_load(a + i, n - i), judo_vector_load(b + i, n - i),
                              sum);
    }
    return judo_vector_sum(sum);
}

judo_status judo_cpu_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                     const judo_tensor *w, float epsilon)
{
    const char *op = "rmsnorm_forward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 2));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    JUDO_TRY(judo_cpu_expect_like(op, "y", y, x));
    JUDO_TRY(judo_cpu_expect_1d(op, "w", w, n));
    if (rstd) {
        JUDO_TRY(judo_cpu_expect_1d(op, "rstd", rstd, m));
    }
    const float *weights = w->data;
    float *kept = rstd ? rstd->data : NULL;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        const float *in = (const float *)x->data + i * n;
        float *out = (float *)y->data + i * n;
        float scale = 1.0f / sqrtf(dot(in, in, n) / (float)n + epsilon);
        for (int64_t j = 0; j < n; j++) {
            out[j] = in[j] * scale * weights[j];
        }
        if (kept) {
            kept[i] = scale;
        }
    }
    return JUDO_OK;
}

/* dx += rstd (w dy - x rstd^2 mean(w dy x)). */
static void rmsnorm_backward_row(float *dx, const float *dy, const float *x, const float *w,
                                 float rstd, int64_t n)
{
    judo_vector lanes = {0};
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        lanes =
            judo_vector_fma(judo_vector_load(w + j, n - j) * judo_vector_load(dy + j, n - j),
                            judo_vector_load(x + j, n - j), lanes);
    }
    float factor = judo_vector_sum(lanes) * rstd * rstd / (float)n;
    for (int64_t j = 0; j < n; j++) {
        dx[j] += rstd * (w[j] * dy[j] - x[j] * factor);
    }
}

/* dw += sum over rows of dy x rstd; a strip of columns belongs to one thread. */
static void add_weight_gradient(float *dw, const float *dy, const float *x, const float *rstd,
                                int64_t m, int64_t n)
{
    enum { STRIP = 128 };

#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t first = 0; first < n; first += STRIP) {
        int64_t width = n - first < STRIP ? n - first : STRIP;
        float strip[STRIP] = {0};
        for (int64_t i = 0; i < m; i++) {
            const float *gradient = dy + i * n + first;
            const float *in = x + i * n + first;
            for (int64_t j = 0; j < width; j++) {
                strip[j] += gradient[j] * in[j] * rstd[i];
            }
        }
        for (int64_t j = 0; j < width; j++) {
            dw[first + j] += strip[j];
        }
    }
}

judo_status judo_cpu_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                      const judo_tensor *x, const judo_tensor *w,
                                      const judo_tensor *rstd)
{
    const char *op = "rmsnorm_backward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 2));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    JUDO_TRY(judo_cpu_expect_like(op, "dx", dx, x));
    JUDO_TRY(judo_cpu_expect_like(op, "dy", dy, x));
    JUDO_TRY(judo_cpu_expect_1d(op, "w", w, n));
    JUDO_TRY(judo_cpu_expect_1d(op, "rstd", rstd, m));
    if (dw) {
        JUDO_TRY(judo_cpu_expect_1d(op, "dw", dw, n));
        add_weight_gradient(dw->data, dy->data, x->data, rstd->data, m, n);
    }
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        rmsnorm_backward_row((float *)dx->data + i * n, (const float *)dy->data + i * n,
                             (const float *)x->data + i * n, w->data,
                             ((const float *)rstd->data)[i], n);
    }
    return JUDO_OK;
}

static void layernorm_row(float *y, const float *x, const float *w, const float *bias,
                          int64_t n, float epsilon)
{
    judo_vector lanes = {0};
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        lanes += judo_vector_load(x + j, n - j);
    }
    float mean = judo_vector_sum(lanes) / (float)n;
    for (int64_t j = 0; j < n; j++) {
        y[j] = x[j] - mean;
    }
    float scale = 1.0f / sqrtf(dot(y, y, n) / (float)n + epsilon);
    for (int64_t j = 0; j < n; j++) {
        y[j] = y[j] * scale * w[j] + bias[j];
    }
}

judo_status judo_cpu_layernorm_forward(judo_tensor *y, const judo_tensor *x,
                                       const judo_tensor *w, const judo_tensor *bias,
                                       float epsilon)
{
    const char *op = "layernorm_forward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 2));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    JUDO_TRY(judo_cpu_expect_like(op, "y", y, x));
    JUDO_TRY(judo_cpu_expect_1d(op, "w", w, n));
    JUDO_TRY(judo_cpu_expect_1d(op, "bias", bias, n));
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        layernorm_row((float *)y->data + i * n, (const float *)x->data + i * n, w->data,
                      bias->data, n, epsilon);
    }
    return JUDO_OK;
}
