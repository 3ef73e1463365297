/* runtime/ops/norm_cpu.c: RMSNorm forward and backward, LayerNorm forward. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* Row `x` of n elements. Rounded once: Hugging Face's Qwen2RMSNorm rounds the scaled row to
 * bf16 before the weights multiply it, which takes the result 5 % farther from fp32's. */
JUDO_INLINE void rmsnorm_row(void *y, float *rstd, const void *x, const void *w, int64_t n,
                             float epsilon, judo_dtype dtype)
{
    judo_vector lanes = {0};
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, j, n - j);
        lanes = judo_vector_fma(v, v, lanes);
    }
    float scale = 1.0f / sqrtf(judo_vector_sum(lanes) / (float)n + epsilon);
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, j, n - j) * judo_vector_all(scale);
        judo_vector_write(y, dtype, j, v * judo_vector_read(w, dtype, j, n - j), n - j);
    }
    if (rstd) {
        *rstd = scale;
    }
}

judo_status judo_cpu_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                     const judo_tensor *w, float epsilon)
{
    JUDO_TRY(judo_rmsnorm_check_forward(y, rstd, x, w));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    float *kept = rstd ? rstd->data : NULL;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        JUDO_FOR_DTYPE(x->dtype, rmsnorm_row, judo_cpu_to(y->data, x->dtype, i * n),
                       kept ? kept + i : NULL, judo_cpu_at(x->data, x->dtype, i * n), w->data,
                       n, epsilon);
    }
    return JUDO_OK;
}

static judo_tensor rows_of(const judo_tensor *t, int64_t first, int64_t rows)
{
    judo_tensor view = *t;
    view.data = judo_cpu_to(t->data, t->dtype, first * (t->num_dims == 1 ? 1 : t->dims[1]));
    view.dims[0] = rows;
    return view;
}

/* Rows that stay in a cache between the sum and the norm. */
enum { ROWS_AT_ONCE = 16 };

judo_status judo_cpu_add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                         const judo_tensor *x, const judo_tensor *w,
                                         float epsilon)
{
    JUDO_TRY(judo_add_check(sum, x));
    JUDO_TRY(judo_rmsnorm_check_forward(y, rstd, sum, w));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    int64_t step = ROWS_AT_ONCE * (int64_t)judo_cpu_threads_for(m * n);
    for (int64_t first = 0; first < m; first += step) {
        int64_t rows = m - first < step ? m - first : step;
        judo_tensor part_y = rows_of(y, first, rows);
        judo_tensor part_sum = rows_of(sum, first, rows);
        judo_tensor part_x = rows_of(x, first, rows);
        judo_tensor part_rstd = {.data = NULL};
        if (rstd) {
            part_rstd = rows_of(rstd, first, rows);
        }
        JUDO_TRY(judo_cpu_add(&part_sum, &part_x));
        JUDO_TRY(
            judo_cpu_rmsnorm_forward(&part_y, rstd ? &part_rstd : NULL, &part_sum, w, epsilon));
    }
    return JUDO_OK;
}

/* dx += rstd (w dy - x rstd^2 mean(w dy x)). */
JUDO_INLINE void rmsnorm_backward_row(void *dx, const void *dy, const void *x, const void *w,
                                      float rstd, int64_t n, judo_dtype dtype)
{
    judo_vector lanes = {0};
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector weighted =
            judo_vector_read(w, dtype, j, n - j) * judo_vector_read(dy, dtype, j, n - j);
        lanes = judo_vector_fma(weighted, judo_vector_read(x, dtype, j, n - j), lanes);
    }
    float factor = judo_vector_sum(lanes) * rstd * rstd / (float)n;
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector weighted =
            judo_vector_read(w, dtype, j, n - j) * judo_vector_read(dy, dtype, j, n - j);
        judo_vector along = judo_vector_read(x, dtype, j, n - j) * judo_vector_all(factor);
        judo_vector sum =
            judo_vector_read(dx, dtype, j, n - j) + judo_vector_all(rstd) * (weighted - along);
        judo_vector_write(dx, dtype, j, sum, n - j);
    }
}

/* Columns that one thread sums over all rows: long enough to read memory in runs. */
enum { STRIP = 1024 };

/* Columns [first, last) of dw += sum over rows of dy x rstd, rows ascending. */
JUDO_INLINE void add_weight_strip(float *dw, const void *dy, const void *x, const float *rstd,
                                  int64_t first, int64_t last, int64_t m, int64_t n,
                                  judo_dtype dtype)
{
    float strip[STRIP] = {0};
    for (int64_t i = 0; i < m; i++) {
        judo_vector scale = judo_vector_all(rstd[i]);
        for (int64_t j = first; j < last; j += JUDO_LANES) {
            judo_vector product = judo_vector_read(dy, dtype, i * n + j, last - j) *
                                  judo_vector_read(x, dtype, i * n + j, last - j) * scale;
            judo_vector sum = judo_vector_load(strip + j - first, JUDO_LANES) + product;
            judo_vector_store(strip + j - first, sum, JUDO_LANES);
        }
    }
    for (int64_t j = first; j < last; j += JUDO_LANES) {
        judo_vector sum = judo_vector_load(dw + j, last - j) +
                          judo_vector_load(strip + j - first, JUDO_LANES);
        judo_vector_store(dw + j, sum, last - j);
    }
}

/* A strip for each thread, whole vectors and at most STRIP. */
static int64_t strip_width(int64_t n, int threads)
{
    int64_t width = (n + threads - 1) / threads;
    width = (width + JUDO_LANES - 1) / JUDO_LANES * JUDO_LANES;
    return width < STRIP ? width : STRIP;
}

judo_status judo_cpu_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                      const judo_tensor *x, const judo_tensor *w,
                                      const judo_tensor *rstd)
{
    JUDO_TRY(judo_rmsnorm_check_backward(dx, dw, dy, x, w, rstd));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
    judo_dtype dtype = x->dtype;
    if (dw) {
        int threads = judo_cpu_threads_for(m * n);
        int64_t width = strip_width(n, threads);
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t first = 0; first < n; first += width) {
            JUDO_FOR_DTYPE(dtype, add_weight_strip, dw->data, dy->data, x->data, rstd->data,
                           first, n - first < width ? n : first + width, m, n);
        }
    }
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        JUDO_FOR_DTYPE(dtype, rmsnorm_backward_row, judo_cpu_to(dx->data, dtype, i * n),
                       judo_cpu_at(dy->data, dtype, i * n), judo_cpu_at(x->data, dtype, i * n),
                       w->data, ((const float *)rstd->data)[i], n);
    }
    return JUDO_OK;
}

JUDO_INLINE void layernorm_row(void *y, const void *x, const void *w, const void *bias,
                               int64_t n, float epsilon, judo_dtype dtype)
{
    judo_vector lanes = {0};
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        lanes += judo_vector_read(x, dtype, j, n - j);
    }
    float mean = judo_vector_sum(lanes) / (float)n;
    lanes = judo_vector_all(0.0f);
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, j, n - j) - judo_vector_all(mean);
        v = n - j < JUDO_LANES ? judo_vector_first(v, n - j) : v;
        lanes = judo_vector_fma(v, v, lanes);
    }
    float scale = 1.0f / sqrtf(judo_vector_sum(lanes) / (float)n + epsilon);
    for (int64_t j = 0; j < n; j += JUDO_LANES) {
        judo_vector v = judo_vector_read(x, dtype, j, n - j) - judo_vector_all(mean);
        v = v * judo_vector_all(scale) * judo_vector_read(w, dtype, j, n - j) +
            judo_vector_read(bias, dtype, j, n - j);
        judo_vector_write(y, dtype, j, v, n - j);
    }
}

judo_status judo_cpu_layernorm_forward(judo_tensor *y, const judo_tensor *x,
                                       const judo_tensor *w, const judo_tensor *bias,
                                       float epsilon)
{
    JUDO_TRY(judo_layernorm_check_forward(y, x, w, bias));
    int64_t m = x->dims[0];
    int64_t n = x->dims[1];
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t i = 0; i < m; i++) {
        JUDO_FOR_DTYPE(x->dtype, layernorm_row, judo_cpu_to(y->data, x->dtype, i * n),
                       judo_cpu_at(x->data, x->dtype, i * n), w->data, bias->data, n, epsilon);
    }
    return JUDO_OK;
}
