/* runtime/ops/matmul_cpu.c: matrix products on oneDNN's matmul primitive (C API v2 and v3), and
 * the linear layer. Its rows are the same bits for every number of rows, which BLAS interfaces
 * do not promise. Making a primitive takes 0.3 to 0.7 ms: the last ones used are kept. */
#include "runtime/ops/cpu.h"

#include <dnnl.h>
#include <inttypes.h>
#include <omp.h>
#include <string.h>

enum { SETS = 64, WAYS = 8 };

typedef struct matmul_key {
    int64_t m, n, k;
    int32_t transpose_a, transpose_b, bias, accumulate, threads, unused;
} matmul_key;

typedef struct matmul_entry {
    matmul_key key;
    uint64_t last_use; /* 0: empty */
    dnnl_primitive_t primitive;
    dnnl_memory_t a, b, bias, c;
} matmul_entry;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static judo_status check(dnnl_status_t status, const char *action, const matmul_key *key)
{
    if (status == dnnl_success) {
        return JUDO_OK;
    }
    return JUDO_FAIL(status == dnnl_out_of_memory ? JUDO_ERROR_MEMORY : JUDO_ERROR_UNSUPPORTED,
                     "matmul: oneDNN cannot %s for [%" PRId64 ",%" PRId64 "]%s x [%" PRId64
                     ",%" PRId64 "]%s (status %d)",
                     action, key->m, key->k, key->transpose_a ? " (stored transposed)" : "",
                     key->k, key->n, key->transpose_b ? " (stored transposed)" : "",
                     (int)status);
}

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t matrix_layout;

static dnnl_status_t layout_create(matrix_layout *layout, int64_t rows, int64_t columns,
                                   bool transposed)
{
    dnnl_dims_t dims = {rows, columns};
    dnnl_dims_t strides = {transposed ? 1 : columns, transposed ? rows : 1};
    return dnnl_memory_desc_create_with_strides(layout, 2, dims, dnnl_f32, strides);
}

static void layout_destroy(matrix_layout *layout)
{
    if (*layout) {
        dnnl_memory_desc_destroy(*layout);
    }
}

static dnnl_status_t memory_create(dnnl_memory_t *memory, const matrix_layout *layout)
{
    return dnnl_memory_create(memory, *layout, engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t append_sum(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_sum(post_ops, 1.0f, 0, dnnl_f32);
}

static dnnl_status_t matmul_create(dnnl_primitive_desc_t *description, const matrix_layout *a,
                                   const matrix_layout *b, const matrix_layout *bias,
                                   const matrix_layout *c,
                                   const_dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(description, engine, *a, *b, bias ? *bias : NULL,
                                             *c, attributes);
}
#else
typedef dnnl_memory_desc_t matrix_layout;

static dnnl_status_t layout_create(matrix_layout *layout, int64_t rows, int64_t columns,
                                   bool transposed)
{
    dnnl_dims_t dims = {rows, columns};
    dnnl_dims_t strides = {transposed ? 1 : columns, transposed ? rows : 1};
    return dnnl_memory_desc_init_by_strides(layout, 2, dims, dnnl_f32, strides);
}

static void layout_destroy(matrix_layout *layout)
{
    (void)layout; /* a plain value in this version */
}

static dnnl_status_t memory_create(dnnl_memory_t *memory, const matrix_layout *layout)
{
    return dnnl_memory_create(memory, layout, engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t append_sum(dnnl_post_ops_t post_ops)
{
    return dnnl_post_ops_append_sum(post_ops, 1.0f);
}

static dnnl_status_t matmul_create(dnnl_primitive_desc_t *description, const matrix_layout *a,
                                   const matrix_layout *b, const matrix_layout *bias,
                                   const matrix_layout *c,
                                   const_dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, a, b, bias, c);
    if (status != dnnl_success) {
        return status;
    }
    return dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL);
}
#endif

static judo_status start(const matmul_key *key)
{
    if (!engine) {
        JUDO_TRY(check(dnnl_engine_create(&engine, dnnl_cpu, 0), "start", key));
    }
    if (!stream) {
        JUDO_TRY(check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags),
                       "open a stream", key));
    }
    return JUDO_OK;
}

static void entry_clear(matmul_entry *entry)
{
    if (entry->primitive) {
        dnnl_primitive_destroy(entry->primitive);
    }
    dnnl_memory_t memories[] = {entry->a, entry->b, entry->bias, entry->c};
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++) {
        if (memories[i]) {
            dnnl_memory_destroy(memories[i]);
        }
    }
    *entry = (matmul_entry){0};
}

static judo_status primitive_create(dnnl_primitive_t *primitive, const matmul_key *key,
                                    const matrix_layout layouts[4])
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post_ops = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success && key->accumulate) {
        status = dnnl_post_ops_create(&post_ops);
        if (status == dnnl_success) {
            status = append_sum(post_ops);
        }
        if (status == dnnl_success) {
            status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
        }
    }
    if (status == dnnl_success) {
        status = matmul_create(&description, &layouts[0], &layouts[1],
                               key->bias ? &layouts[2] : NULL, &layouts[3], attributes);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_create(primitive, description);
    }
    if (description) {
        dnnl_primitive_desc_destroy(description);
    }
    if (post_ops) {
        dnnl_post_ops_destroy(post_ops);
    }
    if (attributes) {
        dnnl_primitive_attr_destroy(attributes);
    }
    return check(status, "make a primitive", key);
}

static judo_status entry_fill(matmul_entry *entry, const matmul_key *key)
{
    matrix_layout layouts[4];
    memset(layouts, 0, sizeof layouts);
    dnnl_status_t made = layout_create(&layouts[0], key->m, key->k, key->transpose_a);
    if (made == dnnl_success) {
        made = layout_create(&layouts[1], key->k, key->n, key->transpose_b);
    }
    if (made == dnnl_success) {
        made = layout_create(&layouts[2], 1, key->n, false);
    }
    if (made == dnnl_success) {
        made = layout_create(&layouts[3], key->m, key->n, false);
    }
    judo_status status = check(made, "describe the matrices", key);
    if (status == JUDO_OK) {
        status = primitive_create(&entry->primitive, key, layouts);
    }
    dnnl_memory_t *memories[] = {&entry->a, &entry->b, &entry->bias, &entry->c};
    for (size_t i = 0; i < 4 && status == JUDO_OK; i++) {
        status = check(memory_create(memories[i], &layouts[i]), "make a memory object", key);
    }
    for (size_t i = 0; i < 4; i++) {
        layout_destroy(&layouts[i]);
    }
    if (status != JUDO_OK) {
        entry_clear(entry);
        return status;
    }
    entry->key = *key;
    return JUDO_OK;
}

/* The cached primitive for a key; the least recently used of its set makes room. */
static judo_status find(matmul_entry **found, const matmul_key *key)
{
    static matmul_entry cache[SETS][WAYS];
    static uint64_t clock;
    uint64_t hash = (uint64_t)key->m * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (uint64_t)key->n) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (uint64_t)key->k) * 0x9E3779B97F4A7C15u;
    matmul_entry *set = cache[hash >> 58];
    matmul_entry *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].last_use != 0 && memcmp(&set[i].key, key, sizeof *key) == 0) {
            set[i].last_use = ++clock;
            *found = &set[i];
            return JUDO_OK;
        }
        if (set[i].last_use < oldest->last_use) {
            oldest = &set[i];
        }
    }
    JUDO_TRY(start(key));
    entry_clear(oldest);
    JUDO_TRY(entry_fill(oldest, key));
    oldest->last_use = ++clock;
    *found = oldest;
    return JUDO_OK;
}

/* A product over nothing is zero. */
static void fill_without_terms(float *c, const float *bias, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            c[i * n + j] = bias ? bias[j] : 0.0f;
        }
    }
}

/* One call of oneDNN, all sizes above 0. */
static judo_status multiply(float *c, const float *a, bool transpose_a, const float *b,
                            bool transpose_b, const float *bias, int64_t m, int64_t n,
                            int64_t k, bool accumulate)
{
    int threads = judo_ops_cpu_threads();
    if (omp_get_max_threads() != threads) {
        omp_set_num_threads(threads); /* a setting of the calling thread that oneDNN reads */
    }
    matmul_key key = {.m = m,
                      .n = n,
                      .k = k,
                      .transpose_a = transpose_a,
                      .transpose_b = transpose_b,
                      .bias = bias != NULL,
                      .accumulate = accumulate,
                      .threads = threads};
    matmul_entry *entry = NULL;
    JUDO_TRY(find(&entry, &key));
    /* oneDNN takes pointers to mutable memory for inputs that it only reads. */
    dnnl_status_t status = dnnl_memory_set_data_handle(entry->a, (void *)(uintptr_t)a);
    if (status == dnnl_success) {
        status = dnnl_memory_set_data_handle(entry->b, (void *)(uintptr_t)b);
    }
    if (status == dnnl_success && bias) {
        status = dnnl_memory_set_data_handle(entry->bias, (void *)(uintptr_t)bias);
    }
    if (status == dnnl_success) {
        status = dnnl_memory_set_data_handle(entry->c, c);
    }
    JUDO_TRY(check(status, "bind memory", &key));
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, entry->a},
                                   {DNNL_ARG_WEIGHTS, entry->b},
                                   {DNNL_ARG_DST, entry->c},
                                   {DNNL_ARG_BIAS, entry->bias}};
    status = dnnl_primitive_execute(entry->primitive, stream, bias ? 4 : 3, arguments);
    if (status == dnnl_success) {
        status = dnnl_stream_wait(stream);
    }
    return check(status, "run", &key);
}

/* Making a primitive takes as long as about 100 megaflops, and the number of tokens is new in
 * every batch: products of moderate size are put together from pieces whose lengths recur. */
static const int64_t lengths[] = {512, 384, 256, 192, 128, 96, 64, 48, 32, 16, 8, 4, 2, 1};

enum { NUM_LENGTHS = sizeof lengths / sizeof *lengths, WHOLE_UP_TO = 64 };

static const double whole_from_flops = 4e9;

/* The next piece of `left` out of `extent` steps. Where steps may be computed twice, one that
 * reaches back over some that are done, rather than several small ones. */
static int64_t piece_length(int64_t left, int64_t extent, bool may_overlap)
{
    int i = 0;
    while (lengths[i] > left) {
        i++;
    }
    bool reaches = may_overlap && i > 0 && lengths[i] < left && lengths[i - 1] <= extent;
    return reaches ? lengths[i - 1] : lengths[i];
}

judo_status judo_cpu_matmul(float *c, const float *a, bool transpose_a, const float *b,
                            bool transpose_b, const float *bias, int64_t m, int64_t n,
                            int64_t k, bool accumulate)
{
    if (m == 0 || n == 0 || (k == 0 && accumulate)) {
        return JUDO_OK;
    }
    if (k == 0) {
        fill_without_terms(c, bias, m, n);
        return JUDO_OK;
    }
    bool by_rows = !transpose_a;
    bool by_terms = transpose_a && !transpose_b && accumulate && !bias;
    int64_t extent = by_rows ? m : k;
    if (!(by_rows || by_terms) || extent <= WHOLE_UP_TO ||
        2.0 * (double)m * (double)n * (double)k >= whole_from_flops) {
        return multiply(c, a, transpose_a, b, transpose_b, bias, m, n, k, accumulate);
    }
    for (int64_t done = 0; done < extent;) {
        int64_t length = piece_length(extent - done, extent, by_rows && !accumulate);
        int64_t first = length > extent - done ? extent - length : done;
        if (by_rows) {
            JUDO_TRY(multiply(c + first * n, a + first * k, false, b, transpose_b, bias, length,
                              n, k, accumulate));
        } else {
            JUDO_TRY(multiply(c, a + first * m, true, b + first * n, false, NULL, m, n, length,
                              true));
        }
        done = first + length;
    }
    return JUDO_OK;
}

judo_status judo_cpu_linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *bias)
{
    const char *op = "linear_forward";
    JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 2));
    JUDO_TRY(judo_cpu_expect_dims(op, "w", w, 2));
    int64_t m = x->dims[0];
    int64_t k = x->dims[1];
    int64_t n = w->dims[0];
    JUDO_TRY(judo_cpu_expect_2d(op, "w", w, n, k));
    JUDO_TRY(judo_cpu_expect_2d(op, "y", y, m, n));
    if (bias) {
        JUDO_TRY(judo_cpu_expect_1d(op, "bias", bias, n));
    }
    return judo_cpu_matmul(y->data, x->data, false, w->data, true, bias ? bias->data : NULL, m,
                           n, k, false);
}

/* sums[n] += the column sums of rows; a strip of columns belongs to one thread, rows ascending:
 * the same bits for any number of threads. */
static void add_column_sums(float *sums, const float *rows, int64_t m, int64_t n)
{
    enum { STRIP = 128 };

#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(m *n))
    for (int64_t first = 0; first < n; first += STRIP) {
        int64_t width = n - first < STRIP ? n - first : STRIP;
        float strip[STRIP] = {0};
        for (int64_t i = 0; i < m; i++) {
            const float *row = rows + i * n + first;
            for (int64_t j = 0; j < width; j++) {
                strip[j] += row[j];
            }
        }
        for (int64_t j = 0; j < width; j++) {
            sums[first + j] += strip[j];
        }
    }
}

judo_status judo_cpu_linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                     judo_tensor *dbias, const judo_tensor *dy,
                                     const judo_tensor *x, const judo_tensor *w)
{
    const char *op = "linear_backward";
    JUDO_TRY(judo_cpu_expect_dims(op, "dy", dy, 2));
    int64_t m = dy->dims[0];
    int64_t n = dy->dims[1];
    if ((dx && !w) || (dw && !x)) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s", op,
                         dx && !w ? "dx is wanted without w" : "dw is wanted without x");
    }
    if (dx) {
        JUDO_TRY(judo_cpu_expect_dims(op, "w", w, 2));
        JUDO_TRY(judo_cpu_expect_2d(op, "w", w, n, w->dims[1]));
        JUDO_TRY(judo_cpu_expect_2d(op, "dx", dx, m, w->dims[1]));
    }
    if (dw) {
        JUDO_TRY(judo_cpu_expect_dims(op, "x", x, 2));
        JUDO_TRY(judo_cpu_expect_2d(op, "x", x, m, x->dims[1]));
        JUDO_TRY(judo_cpu_expect_2d(op, "dw", dw, n, x->dims[1]));
    }
    if (dbias) {
        JUDO_TRY(judo_cpu_expect_1d(op, "dbias", dbias, n));
    }
    if (dx) {
        JUDO_TRY(judo_cpu_matmul(dx->data, dy->data, false, w->data, false, NULL, m, w->dims[1],
                                 n, accumulate_dx));
    }
    if (dw) {
        JUDO_TRY(judo_cpu_matmul(dw->data, dy->data, true, x->data, false, NULL, n, x->dims[1],
                                 m, true));
    }
    if (dbias) {
        add_column_sums(dbias->data, dy->data, m, n);
    }
    return JUDO_OK;
}
