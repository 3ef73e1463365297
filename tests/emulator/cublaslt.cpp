/* tests/emulator/cublaslt.cpp: the products that matmul.cu asks of cuBLASLt, as plain loops.
 * What differs from what an algorithm was chosen for ends the process or is refused as by the
 * library; which algorithms there are and how fast is not emulated. */
#include <cublasLt.h>

#include <vector>

#include <cuda_bf16.h>

#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

enum { SPOILED_WORKSPACE = 64 << 10, LANES = 16, SPLITS = 3, LEAST_SPLIT = 16 };

struct cublasLtContext {
    int unused;
};

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "a status that is not emulated";
}

size_t cublasLtGetVersion(void)
{
    return 0;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    static cublasLtContext context;
    *handle = &context;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit(cublasLtMatmulDesc_t product, cublasComputeType_t compute,
                                      cudaDataType_t scale_type)
{
    if (compute != CUBLAS_COMPUTE_32F || scale_type != CUDA_R_32F) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    *product = {CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL};
    return CUBLAS_STATUS_SUCCESS;
}

/* Copies an attribute of exactly this size. */
static cublasStatus_t set(void *to, size_t to_bytes, const void *value, size_t bytes)
{
    if (bytes != to_bytes) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    memcpy(to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(&product->operation_a, sizeof product->operation_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(&product->operation_b, sizeof product->operation_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(&product->epilogue, sizeof product->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(&product->bias, sizeof product->bias, value, bytes);
    }
    emulator_fail("attribute %d of a product is not emulated", (int)attribute);
}

cublasStatus_t cublasLtMatrixLayoutInit(cublasLtMatrixLayout_t layout, cudaDataType_t type,
                                        uint64_t rows, uint64_t columns, int64_t leading)
{
    *layout = {type, rows, columns, leading};
    return leading < (int64_t)rows ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceInit(cublasLtMatmulPreference_t preference)
{
    *preference = {0, ~0u, {256, 256, 256, 256}};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                     cublasLtMatmulPreferenceAttributes_t attribute,
                                     const void *value, size_t bytes)
{
    uint32_t *alignments = preference->alignments;
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return set(&preference->workspace, sizeof preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return set(&preference->reductions, sizeof preference->reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        return set(&alignments[0], sizeof alignments[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        return set(&alignments[1], sizeof alignments[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        return set(&alignments[2], sizeof alignments[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return set(&alignments[3], sizeof alignments[3], value, bytes);
    }
    emulator_fail("attribute %d of a preference is not emulated", (int)attribute);
}

namespace
{

/* A product d = alpha op(a) op(b) + beta c (+ bias), everything that it needs. */
struct product_job {
    cublasLtMatmulDescOpaque_t product;
    cublasLtMatrixLayoutOpaque_t a_layout, b_layout, d_layout;
    const void *a, *b, *c;
    void *d, *workspace;
    size_t workspace_bytes;
    float alpha, beta;
    bool split;
};

size_t width_of(cudaDataType_t type)
{
    return type == CUDA_R_16BF ? 2 : 4;
}

/* From the first element to the last. */
size_t bytes_of(const cublasLtMatrixLayoutOpaque_t *layout)
{
    if (layout->rows == 0 || layout->columns == 0) {
        return 0;
    }
    return ((size_t)layout->leading * (layout->columns - 1) + layout->rows) *
           width_of(layout->type);
}

float element(const void *matrix, cudaDataType_t type, size_t i)
{
    return type == CUDA_R_16BF ? __bfloat162float(((const __nv_bfloat16 *)matrix)[i])
                               : ((const float *)matrix)[i];
}

/* Rows of the sums' terms, one behind the other: rows of op(a), or columns of op(b). */
std::vector<float> lines(const void *matrix, const cublasLtMatrixLayoutOpaque_t *layout,
                         bool along_columns)
{
    size_t count = along_columns ? layout->columns : layout->rows;
    size_t length = along_columns ? layout->rows : layout->columns;
    size_t step = along_columns ? 1 : (size_t)layout->leading;
    size_t stride = along_columns ? (size_t)layout->leading : 1;
    std::vector<float> out(count * length);
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < length; p++) {
            out[i * length + p] = element(matrix, layout->type, i * stride + p * step);
        }
    }
    return out;
}

float dot(const float *a, const float *b, size_t length)
{
    float part[LANES] = {};
    size_t p = 0;
    for (; p + LANES <= length; p += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            part[lane] += a[p + lane] * b[p + lane];
        }
    }
    for (; p < length; p++) {
        part[0] += a[p] * b[p];
    }
    float sum = 0.0f;
    for (float one : part) {
        sum += one;
    }
    return sum;
}

/* As some algorithms do where they may: parts of a sum, joined in their order. */
float split_dot(const float *a, const float *b, size_t length)
{
    size_t step = length / SPLITS;
    float sum = 0.0f;
    for (size_t part = 0; part < SPLITS; part++) {
        size_t first = part * step;
        sum += dot(a + first, b + first, part == SPLITS - 1 ? length - first : step);
    }
    return sum;
}

void multiply(const product_job *job)
{
    const cublasLtMatrixLayoutOpaque_t *to = &job->d_layout;
    std::vector<float> a =
        lines(job->a, &job->a_layout, job->product.operation_a == CUBLAS_OP_T);
    std::vector<float> b =
        lines(job->b, &job->b_layout, job->product.operation_b == CUBLAS_OP_N);
    size_t length = a.size() / to->rows;
    size_t spoiled = job->workspace_bytes < (size_t)SPOILED_WORKSPACE
                         ? job->workspace_bytes
                         : (size_t)SPOILED_WORKSPACE;
    memset(job->workspace, 0xff, spoiled);
    auto sum_of = job->split && length >= LEAST_SPLIT ? split_dot : dot;
    for (size_t j = 0; j < to->columns; j++) {
        for (size_t i = 0; i < to->rows; i++) {
            size_t at = j * (size_t)to->leading + i;
            float sum = job->alpha * sum_of(&a[i * length], &b[j * length], length);
            if (job->beta != 0.0f) {
                sum += job->beta * element(job->c, to->type, at);
            }
            if (job->product.epilogue == CUBLASLT_EPILOGUE_BIAS) {
                sum += element(job->product.bias, to->type, i);
            }
            if (to->type == CUDA_R_16BF) {
                ((__nv_bfloat16 *)job->d)[at] = __float2bfloat16_rn(sum);
            } else {
                ((float *)job->d)[at] = sum;
            }
        }
    }
}

/* Whether sizes and types make a product that is emulated. */
bool agrees(const cublasLtMatmulDescOpaque_t *product, const cublasLtMatrixLayoutOpaque_t *a,
            const cublasLtMatrixLayoutOpaque_t *b, const cublasLtMatrixLayoutOpaque_t *c,
            const cublasLtMatrixLayoutOpaque_t *d)
{
    bool a_turned = product->operation_a == CUBLAS_OP_T;
    bool b_turned = product->operation_b == CUBLAS_OP_T;
    bool sizes = (a_turned ? a->columns : a->rows) == d->rows &&
                 (b_turned ? b->rows : b->columns) == d->columns &&
                 (a_turned ? a->rows : a->columns) == (b_turned ? b->columns : b->rows);
    bool types = a->type == b->type && (d->type == a->type || d->type == CUDA_R_32F);
    return sizes && types && c->type == d->type && c->rows == d->rows &&
           c->columns == d->columns && c->leading == d->leading;
}

void check_place(const void *memory, const cublasLtMatrixLayoutOpaque_t *layout,
                 uint32_t alignment, const char *name)
{
    if (emulator_memory_at(memory, bytes_of(layout)) != EMULATOR_DEVICE) {
        emulator_fail("a product's %s at %p is not on the device", name, memory);
    }
    if ((uintptr_t)memory % alignment != 0) {
        emulator_fail("a product's %s at %p is not aligned to %u as its algorithm was promised",
                      name, memory, alignment);
    }
}

/* Some of the library's algorithms are not for products much smaller than what they were chosen
 * for: the emulated ones refuse some of those. */
bool refuses(const cublasLtMatmulAlgo_t *algorithm, const cublasLtMatrixLayoutOpaque_t *d)
{
    return d->columns * 64 < algorithm->columns && d->columns % 3 == 0;
}

} // namespace

cublasStatus_t
cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                               cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                               cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                               cublasLtMatmulPreference_t preference, int wanted,
                               cublasLtMatmulHeuristicResult_t *results, int *found)
{
    *found = 0;
    if ((preference->reductions & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) != 0) {
        emulator_fail("sums that may be joined in any order, or in the result's type");
    }
    if (!handle || wanted < 1 || !agrees(product, a, b, c, d)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    cublasLtMatmulAlgo_t *algorithm = &results[0].algo;
    algorithm->columns = d->columns;
    memcpy(algorithm->alignments, preference->alignments, sizeof algorithm->alignments);
    algorithm->reductions = preference->reductions;
    algorithm->type = a->type;
    algorithm->d_type = d->type;
    algorithm->operation_a = product->operation_a;
    algorithm->operation_b = product->operation_b;
    algorithm->epilogue = product->epilogue;
    algorithm->workspace = preference->workspace;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                              const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout,
                              const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    emulator_lock lock;
    if (!handle || !agrees(product, a_layout, b_layout, c_layout, d_layout)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (algorithm->type != a_layout->type || algorithm->d_type != d_layout->type ||
        algorithm->operation_a != product->operation_a ||
        algorithm->operation_b != product->operation_b ||
        algorithm->epilogue != product->epilogue || algorithm->workspace > workspace_bytes) {
        emulator_fail("a product with an algorithm that was chosen for another kind");
    }
    if (refuses(algorithm, d_layout)) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    check_place(a, a_layout, algorithm->alignments[0], "a");
    check_place(b, b_layout, algorithm->alignments[1], "b");
    check_place(c, c_layout, algorithm->alignments[2], "c");
    check_place(d, d_layout, algorithm->alignments[3], "d");
    if (emulator_memory_at(workspace, workspace_bytes) != EMULATOR_DEVICE) {
        emulator_fail("a product's work space at %p is not on the device", workspace);
    }
    product_job job = {*product,
                       *a_layout,
                       *b_layout,
                       *d_layout,
                       a,
                       b,
                       c,
                       d,
                       workspace,
                       workspace_bytes,
                       *(const float *)alpha,
                       *(const float *)beta,
                       algorithm->reductions != CUBLASLT_REDUCTION_SCHEME_NONE};
    emulator_enqueue(stream, [job]() {
        emulator_memory_open();
        multiply(&job);
    });
    return CUBLAS_STATUS_SUCCESS;
}
