/* runtime/ops/cuda/matmul.cu: matrix products by cuBLASLt, one algorithm per kind of product
 * and bucket of rows: the library's first choice, or the fastest of several that a file keeps
 * (JUDO_CUDA_PRODUCTS). */
#include "runtime/ops/cuda/replay.cuh"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cublasLt.h>

extern "C" {
#include "runtime/ops/cuda/product_choices.h"
#include "runtime/ops/cuda/product_rows.h"
#include "runtime/ops/cuda/work_memory.h"
}

enum { WORKSPACE = JUDO_PRODUCT_WORKSPACE, CACHE = 1024, CANDIDATES = 12 };

/* What an algorithm is chosen for. Where the sums run over k alone, `m` is that of a bucket
 * (product_rows.h): all numbers of rows in it take one algorithm. */
typedef struct product_key {
    int64_t m, n, k, a_stride;
    int32_t dtype, c_dtype, flags, alignment;
} product_key;

enum { TRANSPOSE_A = 1, TRANSPOSE_B = 2, BIAS = 4 };

typedef struct cache_entry {
    bool used;
    product_key key;
    cublasLtMatmulAlgo_t algorithm;
} cache_entry;

static cublasLtHandle_t handle;
static cache_entry cache[CACHE];
static int num_cached;

static judo_status check(cublasStatus_t status, const char *what, const product_key *key)
{
    if (status == CUBLAS_STATUS_SUCCESS) {
        return JUDO_OK;
    }
    return JUDO_FAIL(
        JUDO_ERROR_INTERNAL,
        "cuda: %s: %s (product of %" PRId64 " x %" PRId64 " over %" PRId64 ", %s to %s)", what,
        cublasLtGetStatusName(status), key->m, key->n, key->k,
        judo_dtype_name((judo_dtype)key->dtype), judo_dtype_name((judo_dtype)key->c_dtype));
}

#define TRY(call, key) JUDO_TRY(check((call), #call, (key)))

/* The power of two, at most 16, that divides an address or a number of bytes. */
static uint32_t alignment_of(uint64_t bytes)
{
    uint32_t alignment = 16;
    while (bytes % alignment != 0) {
        alignment /= 2;
    }
    return alignment;
}

static cudaDataType_t type_of(judo_dtype dtype)
{
    return dtype == JUDO_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static product_key key_of(const judo_cuda_product *p, int64_t rows)
{
    uint64_t width = (uint64_t)judo_dtype_bytes(p->dtype);
    uint64_t c_width = (uint64_t)judo_dtype_bytes(p->c_dtype);
    /* Row lengths of the operands as they are stored, and where they begin, all in one. */
    int64_t a_stride = p->a_stride > 0 ? p->a_stride : p->transpose_a ? p->m : p->k;
    uint64_t bytes = (uint64_t)a_stride * width;
    bytes |= (uint64_t)(p->transpose_b ? p->k : p->n) * width;
    bytes |= (uint64_t)p->n * c_width;
    bytes |= (uintptr_t)p->a | (uintptr_t)p->b | (uintptr_t)p->c;
    product_key key;
    memset(&key, 0, sizeof key);
    key.m = rows;
    key.n = p->n;
    key.k = p->k;
    key.a_stride = a_stride;
    key.dtype = p->dtype;
    key.c_dtype = p->c_dtype;
    key.flags = (p->transpose_a ? (int)TRANSPOSE_A : 0) |
                (p->transpose_b ? (int)TRANSPOSE_B : 0) | (p->bias ? (int)BIAS : 0);
    key.alignment = (int32_t)alignment_of(bytes);
    return key;
}

/* The place of the key in the cache: its entry, or the free one to put it. */
static cache_entry *find(const product_key *key)
{
    uint64_t hash = 1469598103934665603u;
    const unsigned char *bytes = (const unsigned char *)key;
    for (size_t i = 0; i < sizeof *key; i++) {
        hash = (hash ^ bytes[i]) * 1099511628211u;
    }
    for (uint64_t place = hash % CACHE;; place = (place + 1) % CACHE) {
        if (!cache[place].used || memcmp(&cache[place].key, key, sizeof *key) == 0) {
            return &cache[place];
        }
    }
}

/* The product as cuBLASLt sees it: columns first, so that c^T = op(b)^T op(a)^T. */
typedef struct layouts {
    cublasLtMatmulDescOpaque_t product;
    cublasLtMatrixLayoutOpaque_t a, b, c;
} layouts;

static judo_status describe(layouts *l, const product_key *key, const void *bias)
{
    cublasOperation_t op_a = key->flags & TRANSPOSE_B ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t op_b = key->flags & TRANSPOSE_A ? CUBLAS_OP_T : CUBLAS_OP_N;
    uint64_t m = (uint64_t)key->m;
    uint64_t n = (uint64_t)key->n;
    uint64_t k = (uint64_t)key->k;
    cudaDataType_t type = type_of((judo_dtype)key->dtype);
    TRY(cublasLtMatmulDescInit(&l->product, CUBLAS_COMPUTE_32F, CUDA_R_32F), key);
    TRY(cublasLtMatmulDescSetAttribute(&l->product, CUBLASLT_MATMUL_DESC_TRANSA, &op_a,
                                       sizeof op_a),
        key);
    TRY(cublasLtMatmulDescSetAttribute(&l->product, CUBLASLT_MATMUL_DESC_TRANSB, &op_b,
                                       sizeof op_b),
        key);
    if (key->flags & BIAS) {
        cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
        TRY(cublasLtMatmulDescSetAttribute(&l->product, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                           &epilogue, sizeof epilogue),
            key);
        TRY(cublasLtMatmulDescSetAttribute(&l->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                           &bias, sizeof bias),
            key);
    }
    bool a_turned = op_a == CUBLAS_OP_T;
    bool b_turned = op_b == CUBLAS_OP_T;
    TRY(cublasLtMatrixLayoutInit(&l->a, type, a_turned ? k : n, a_turned ? n : k,
                                 (int64_t)(a_turned ? k : n)),
        key);
    TRY(cublasLtMatrixLayoutInit(&l->b, type, b_turned ? m : k, b_turned ? k : m,
                                 key->a_stride),
        key);
    TRY(cublasLtMatrixLayoutInit(&l->c, type_of((judo_dtype)key->c_dtype), n, m, (int64_t)n),
        key);
    return JUDO_OK;
}

/* The library's candidates, its favourite first. Parts of split sums are never joined in an
 * order that may change: they wait in the workspace. */
static judo_status propose(cublasLtMatmulHeuristicResult_t *candidates, int wanted, int *found,
                           layouts *l, const product_key *key, bool split)
{
    cublasLtMatmulPreferenceOpaque_t preference;
    uint64_t workspace = WORKSPACE;
    uint32_t reductions =
        split ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : CUBLASLT_REDUCTION_SCHEME_NONE;
    uint32_t alignment = (uint32_t)key->alignment;
    const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    TRY(cublasLtMatmulPreferenceInit(&preference), key);
    TRY(cublasLtMatmulPreferenceSetAttribute(&preference,
                                             CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof workspace),
        key);
    TRY(cublasLtMatmulPreferenceSetAttribute(&preference,
                                             CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                             &reductions, sizeof reductions),
        key);
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        TRY(cublasLtMatmulPreferenceSetAttribute(&preference, alignments[i], &alignment,
                                                 sizeof alignment),
            key);
    }
    TRY(cublasLtMatmulAlgoGetHeuristic(handle, &l->product, &l->a, &l->b, &l->c, &l->c,
                                       &preference, wanted, candidates, found),
        key);
    if (*found < 1) {
        return check(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm", key);
    }
    return JUDO_OK;
}

static cublasStatus_t multiply(const judo_cuda_product *p, layouts *l,
                               const cublasLtMatmulAlgo_t *algorithm, void *workspace)
{
    const float one = 1.0f;
    const float beta = p->accumulate ? 1.0f : 0.0f;
    if (!judo_cuda_queues(key_of(p, p->m), p->a, p->b, p->c, p->bias, beta, *algorithm,
                          workspace)) {
        return CUBLAS_STATUS_SUCCESS;
    }
    return cublasLtMatmul(handle, &l->product, &one, p->b, &l->a, p->a, &l->b, &beta, p->c,
                          &l->c, p->c, &l->c, algorithm, workspace, WORKSPACE,
                          judo_cuda.stream);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of the best of a few runs, each of some products; negative if it cannot run. */
static judo_status time_algorithm(double *seconds, const judo_cuda_product *p, layouts *l,
                                  const cublasLtMatmulAlgo_t *algorithm, void *workspace)
{
    const int turns = 4;
    const int calls = 8;
    *seconds = -1.0;
    for (int turn = 0; turn < turns; turn++) { /* the first warms up */
        double start = now();
        for (int i = 0; i < calls; i++) {
            if (multiply(p, l, algorithm, workspace) != CUBLAS_STATUS_SUCCESS) {
                return JUDO_OK;
            }
        }
        JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
        double taken = (now() - start) / calls;
        if (turn == 1 || (turn > 1 && taken < *seconds)) {
            *seconds = taken;
        }
    }
    return JUDO_OK;
}

/* Rows of a for a product of `rows`: p's own, again and again. */
static judo_status repeat_rows(void *a, const judo_cuda_product *p, const product_key *key)
{
    const int64_t width = judo_dtype_bytes(p->dtype);
    for (int64_t row = 0; row < key->m; row += p->m) {
        int64_t count = key->m - row < p->m ? key->m - row : p->m;
        int64_t bytes = ((count - 1) * key->a_stride + p->k) * width;
        JUDO_CUDA_TRY(cudaMemcpyAsync((char *)a + row * key->a_stride * width, p->a,
                                      (size_t)bytes, cudaMemcpyDefault, judo_cuda.stream));
    }
    return JUDO_OK;
}

/* Times the candidates; the one that takes the least replaces the library's favourite. */
static judo_status time_all(cublasLtMatmulAlgo_t *algorithm, const judo_cuda_product *trial,
                            layouts *l, const cublasLtMatmulHeuristicResult_t *candidates,
                            int found, void *workspace)
{
    double best = -1.0;
    *algorithm = candidates[0].algo;
    for (int i = 0; i < found; i++) {
        double seconds = -1.0;
        JUDO_TRY(time_algorithm(&seconds, trial, l, &candidates[i].algo, workspace));
        if (seconds > 0.0 && (best < 0.0 || seconds < best)) {
            best = seconds;
            *algorithm = candidates[i].algo;
        }
    }
    return JUDO_OK;
}

/* The fastest candidate for as many rows as the key says, which may be more than there are: its
 * first operand and its result are in memory of its own. */
static judo_status fastest(cublasLtMatmulAlgo_t *algorithm, const judo_cuda_product *p,
                           const cublasLtMatmulHeuristicResult_t *candidates, int found,
                           const product_key *key, void *workspace)
{
    judo_cuda_product trial = *p;
    void *more = NULL;
    layouts l;
    JUDO_TRY(describe(&l, key, p->bias));
    JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
    trial.m = key->m;
    JUDO_CUDA_TRY(
        cudaMalloc(&trial.c, (size_t)(key->m * key->n * judo_dtype_bytes(p->c_dtype))));
    judo_status status = JUDO_OK;
    if (key->m > p->m) {
        int64_t bytes = key->m * key->a_stride * judo_dtype_bytes(p->dtype);
        status = judo_cuda_check(cudaMalloc(&more, (size_t)bytes), "cudaMalloc");
        status = status == JUDO_OK ? repeat_rows(more, p, key) : status;
        trial.a = more;
    }
    if (status == JUDO_OK) {
        status = time_all(algorithm, &trial, &l, candidates, found, workspace);
    }
    (void)cudaFree(more);
    (void)cudaFree(trial.c);
    return status;
}

static judo_product_choices choices;

/* The file that the environment names, for this GPU, this library and this mode. */
static judo_status open_choices(void)
{
    char identity[400];
    cudaDeviceProp properties;
    JUDO_CUDA_TRY(cudaGetDeviceProperties(&properties, judo_cuda.index));
    (void)snprintf(identity, sizeof identity, "judo products 2, %s, cublasLt %zu, %s, %zu MiB",
                   judo_cuda.rows_invariant ? "one for all rows" : "buckets of rows",
                   cublasLtGetVersion(), properties.name, properties.totalGlobalMem >> 20);
    return judo_product_choices_open(&choices, getenv("JUDO_CUDA_PRODUCTS"), identity);
}

static judo_product_choice choice_of(const product_key *key, const cublasLtMatmulAlgo_t *value)
{
    static_assert(sizeof(cublasLtMatmulAlgo_t) <= sizeof(uint64_t) * JUDO_CHOICE_VALUE,
                  "an algorithm does not fit in a choice");
    judo_product_choice choice;
    memset(&choice, 0, sizeof choice);
    const int64_t numbers[JUDO_CHOICE_KEY] = {key->m,
                                              key->n,
                                              key->k,
                                              key->a_stride,
                                              (int64_t)key->dtype * 256 + key->c_dtype,
                                              key->flags,
                                              key->alignment};
    memcpy(choice.key, numbers, sizeof numbers);
    memcpy(choice.value, value, sizeof *value);
    return choice;
}

static judo_status choose(cublasLtMatmulAlgo_t *algorithm, const judo_cuda_product *p,
                          const product_key *key, bool split, void *workspace)
{
    cublasLtMatmulHeuristicResult_t candidates[CANDIDATES] = {};
    int found = 0;
    layouts l;
    judo_product_choice choice = choice_of(key, &candidates[0].algo);
    const uint64_t *kept = judo_product_choices_find(&choices, choice.key);
    if (kept) {
        memcpy(algorithm, kept, sizeof *algorithm);
        return JUDO_OK;
    }
    JUDO_TRY(describe(&l, key, p->bias));
    JUDO_TRY(propose(candidates, choices.recording ? CANDIDATES : 1, &found, &l, key, split));
    *algorithm = candidates[0].algo;
    if (!choices.recording) {
        return JUDO_OK;
    }
    JUDO_TRY(fastest(algorithm, p, candidates, found, key, workspace));
    choice = choice_of(key, algorithm);
    return judo_product_choices_add(&choices, &choice);
}

static judo_status algorithm_for(cublasLtMatmulAlgo_t *algorithm, const judo_cuda_product *p,
                                 const product_key *key, bool split, void *workspace)
{
    cache_entry *entry = find(key);
    if (!entry->used && !judo_cuda_replay_yields()) { /* choosing may wait */
        memset(algorithm, 0, sizeof *algorithm);
        return JUDO_OK;
    }
    if (!entry->used) {
        JUDO_TRY(choose(algorithm, p, key, split, workspace));
        if (num_cached >= CACHE / 2) {
            memset(cache, 0, sizeof cache);
            num_cached = 0;
            entry = find(key);
        }
        entry->used = true;
        entry->key = *key;
        entry->algorithm = *algorithm;
        num_cached++;
    }
    *algorithm = entry->algorithm;
    return JUDO_OK;
}

judo_status judo_cuda_matmul(const judo_cuda_product *p)
{
    if (p->m == 0 || p->n == 0 || (p->k == 0 && p->accumulate)) {
        return JUDO_OK;
    }
    const product_key exact = key_of(p, p->m);
    if (p->k == 0 && !p->bias) { /* no algorithm for it, but a result: nothing but zeros */
        int64_t bytes = p->m * p->n * judo_dtype_bytes(p->c_dtype);
        if (judo_cuda_queues(p->c, bytes)) {
            JUDO_CUDA_TRY(cudaMemsetAsync(p->c, 0, (size_t)bytes, judo_cuda.stream));
        }
        return JUDO_OK;
    }
    if (p->k == 0) {
        return check(CUBLAS_STATUS_NOT_SUPPORTED, "an empty sum", &exact);
    }
    if (!handle && !judo_cuda_replay_yields()) {
        return JUDO_OK;
    }
    if (!handle) {
        JUDO_TRY(open_choices());
        TRY(cublasLtCreate(&handle), &exact);
    }
    void *workspace = NULL;
    JUDO_TRY(judo_cuda_scratch(&workspace, JUDO_CUDA_SCRATCH_PRODUCT, WORKSPACE));
    /* Sums over the rows of both operands have no rows that others could join. */
    const judo_product_rows rows = p->transpose_a
                                       ? (judo_product_rows){p->m, true}
                                       : judo_product_rows_of(p->m, judo_cuda.rows_invariant);
    /* Where the exact one was chosen, the other was refused. */
    const product_key key = find(&exact)->used ? exact : key_of(p, rows.rows);
    cublasLtMatmulAlgo_t algorithm;
    JUDO_TRY(algorithm_for(&algorithm, p, &key, rows.split, workspace));
    layouts l;
    JUDO_TRY(describe(&l, &exact, p->bias));
    cublasStatus_t status = multiply(p, &l, &algorithm, workspace);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) {
        /* Not for so few rows: the choice for exactly these takes its place. */
        JUDO_TRY(algorithm_for(&algorithm, p, &exact, rows.split, workspace));
        status = multiply(p, &l, &algorithm, workspace);
    }
    return check(status, "cublasLtMatmul", &exact);
}
