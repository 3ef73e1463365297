/* runtime/ops/matmul_cpu.c: matrix products on oneDNN's matmul primitive (C API v2 and v3). Its
 * rows are the same bits for every number of rows, which BLAS interfaces
 * do not promise. Making a primitive takes 0.3 to 0.7 ms: the last ones used are kept. */
#include "runtime/ops/cpu.h"

#include <dnnl.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "runtime/ops/cpu_library.h"

enum { SETS = 64, WAYS = 8 };

typedef struct matmul_key {
    int64_t m, n, k;
    int32_t transpose_a, transpose_b, bias, accumulate, dtype, c_dtype, threads, unused;
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
                     ",%" PRId64 "]%s of %s (status %d)",
                     action, key->m, key->k, key->transpose_a ? " (stored transposed)" : "",
                     key->k, key->n, key->transpose_b ? " (stored transposed)" : "",
                     judo_dtype_name((judo_dtype)key->dtype), (int)status);
}

static dnnl_data_type_t type_of(int32_t dtype)
{
    return dtype == JUDO_BF16 ? dnnl_bf16 : dnnl_f32;
}

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t matrix_layout;

static dnnl_status_t layout_create(matrix_layout *layout, int32_t dtype, int64_t rows,
                                   int64_t columns, bool transposed)
{
    dnnl_dims_t dims = {rows, columns};
    dnnl_dims_t strides = {transposed ? 1 : columns, transposed ? rows : 1};
    return dnnl_memory_desc_create_with_strides(layout, 2, dims, type_of(dtype), strides);
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
    return dnnl_post_ops_append_sum(post_ops, 1.0f, 0, dnnl_data_type_undef);
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

static dnnl_status_t layout_create(matrix_layout *layout, int32_t dtype, int64_t rows,
                                   int64_t columns, bool transposed)
{
    dnnl_dims_t dims = {rows, columns};
    dnnl_dims_t strides = {transposed ? 1 : columns, transposed ? rows : 1};
    return dnnl_memory_desc_init_by_strides(layout, 2, dims, type_of(dtype), strides);
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
    dnnl_status_t made =
        layout_create(&layouts[0], key->dtype, key->m, key->k, key->transpose_a);
    if (made == dnnl_success) {
        made = layout_create(&layouts[1], key->dtype, key->k, key->n, key->transpose_b);
    }
    if (made == dnnl_success) {
        made = layout_create(&layouts[2], key->dtype, 1, key->n, false);
    }
    if (made == dnnl_success) {
        made = layout_create(&layouts[3], key->c_dtype, key->m, key->n, false);
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

bool judo_cpu_multiplies_bf16(void)
{
    /* Elsewhere bf16 products are slower than fp32 ones, or missing. */
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
           dnnl_cpu_isa_avx512_core_bf16;
}

bool judo_cpu_library_describe(char *out, size_t bytes)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } sets[] = {
        {dnnl_cpu_isa_avx512_core_amx, "AMX"},
        {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with bf16"},
        {dnnl_cpu_isa_avx512_core, "AVX-512"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_sse41, "SSE4.1"},
    };

    const dnnl_version_t *version = dnnl_version();
    const char *name = "no vector instructions";
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if ((dnnl_get_effective_cpu_isa() & sets[i].isa) == sets[i].isa) {
            name = sets[i].name;
            break;
        }
    }
    (void)snprintf(out, bytes, "oneDNN %d.%d.%d, %s", version->major, version->minor,
                   version->patch, name);
    return judo_cpu_multiplies_bf16();
}

judo_status judo_cpu_multiply(const judo_cpu_product *product)
{
    int threads = judo_ops_cpu_threads();
    if (omp_get_max_threads() != threads) {
        omp_set_num_threads(threads); /* a setting of the calling thread that oneDNN reads */
    }
    matmul_key key = {.m = product->m,
                      .n = product->n,
                      .k = product->k,
                      .transpose_a = product->transpose_a,
                      .transpose_b = product->transpose_b,
                      .bias = product->bias != NULL,
                      .accumulate = product->accumulate,
                      .dtype = (int32_t)product->dtype,
                      .c_dtype = (int32_t)product->c_dtype,
                      .threads = threads};
    matmul_entry *entry = NULL;
    JUDO_TRY(find(&entry, &key));
    /* oneDNN takes pointers to mutable memory for inputs that it only reads. */
    dnnl_status_t status = dnnl_memory_set_data_handle(entry->a, (void *)(uintptr_t)product->a);
    if (status == dnnl_success) {
        status = dnnl_memory_set_data_handle(entry->b, (void *)(uintptr_t)product->b);
    }
    if (status == dnnl_success && product->bias) {
        status = dnnl_memory_set_data_handle(entry->bias, (void *)(uintptr_t)product->bias);
    }
    if (status == dnnl_success) {
        status = dnnl_memory_set_data_handle(entry->c, product->c);
    }
    JUDO_TRY(check(status, "bind memory", &key));
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, entry->a},
                                   {DNNL_ARG_WEIGHTS, entry->b},
                                   {DNNL_ARG_DST, entry->c},
                                   {DNNL_ARG_BIAS, entry->bias}};
    status = dnnl_primitive_execute(entry->primitive, stream, product->bias ? 4 : 3, arguments);
    if (status == dnnl_success) {
        status = dnnl_stream_wait(stream);
    }
    return check(status, "run", &key);
}
