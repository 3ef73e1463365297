/* runtime/ops/linear_cpu.c: the linear layer, forward and backward. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

judo_status judo_cpu_linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *bias)
{
    JUDO_TRY(judo_linear_check_forward(y, x, w, bias));
    judo_cpu_product product = {.c = y->data,
                                .a = x->data,
                                .b = w->data,
                                .bias = bias ? bias->data : NULL,
                                .m = x->dims[0],
                                .n = w->dims[0],
                                .k = x->dims[1],
                                .dtype = x->dtype,
                                .c_dtype = y->dtype,
                                .transpose_b = true};
    bool done = false;
    if (w->packed) {
        JUDO_TRY(judo_cpu_packed_product(&product, w->packed, &done));
    }
    return done ? JUDO_OK : judo_cpu_matmul(&product);
}

enum { STRIP_VECTORS = 8, STRIP = STRIP_VECTORS * JUDO_LANES };

/* The columns [first, first + STRIP) of add_column_sums. */
JUDO_INLINE void add_strip_sums(float *sums, const void *rows, int64_t first, int64_t m,
                                int64_t n, judo_dtype dtype)
{
    judo_vector strip[STRIP_VECTORS] = {{0}};
    for (int64_t i = 0; i < m; i++) {
        for (int v = 0; v < STRIP_VECTORS; v++) {
            int64_t j = first + v * JUDO_LANES;
            strip[v] += judo_vector_read(rows, dtype, i * n + j, n - j);
        }
    }
    for (int v = 0; v < STRIP_VECTORS; v++) {
        int64_t j = first + v * JUDO_LANES;
        strip[v] += judo_vector_read(sums, JUDO_F32, j, n - j);
        judo_vector_write(sums, JUDO_F32, j, strip[v], n - j);
    }
}

/* sums[n] += the column sums of rows; a strip of columns belongs to one thread, rows ascending:
 * the same bits for any number of threads. */
static void add_column_sums(float *sums, const judo_tensor *rows)
{
    int64_t m = rows->dims[0];
    int64_t n = rows->dims[1];
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t first = 0; first < n; first += STRIP) {
        JUDO_FOR_DTYPE(rows->dtype, add_strip_sums, sums, rows->data, first, m, n);
    }
}

judo_status judo_cpu_linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                     judo_tensor *dbias, const judo_tensor *dy,
                                     const judo_tensor *x, const judo_tensor *w)
{
    JUDO_TRY(judo_linear_check_backward(dx, dw, dbias, dy, x, w));
    int64_t m = dy->dims[0];
    int64_t n = dy->dims[1];
    judo_cpu_product to_dx = {.a = dy->data,
                              .m = m,
                              .k = n,
                              .dtype = dy->dtype,
                              .c_dtype = dy->dtype,
                              .accumulate = accumulate_dx};
    judo_cpu_product to_dw = {.a = dy->data,
                              .m = n,
                              .k = m,
                              .dtype = dy->dtype,
                              .c_dtype = JUDO_F32,
                              .transpose_a = true,
                              .accumulate = true};
    if (dx) {
        to_dx.b = w->data;
        to_dx.c = dx->data;
        to_dx.n = w->dims[1];
    }
    if (dw) {
        to_dw.b = x->data;
        to_dw.c = dw->data;
        to_dw.n = x->dims[1];
    }
    JUDO_TRY(judo_cpu_matmul(&to_dx)); /* n is 0 for an output that is left out */
    JUDO_TRY(judo_cpu_matmul(&to_dw));
    if (dbias) {
        add_column_sums(dbias->data, dy);
    }
    return JUDO_OK;
}
