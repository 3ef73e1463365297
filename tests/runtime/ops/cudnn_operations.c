/* tests/runtime/ops/cudnn_operations.c: the operations of cudnn_interpreter.h. */
#include "tests/runtime/ops/cudnn_interpreter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tensor.h"

typedef struct run {
    const descriptor *pack;
    cudnnStatus_t status;
    double factor; /* of what is stored in bf16 */
    unsigned number;
} run;

/* --- tensors --- */

static const int64_t *dims_of(const descriptor *t)
{
    return interpreter_find(t, CUDNN_ATTR_TENSOR_DIMENSIONS)->values;
}

static const int64_t *strides_of(const descriptor *t)
{
    return interpreter_find(t, CUDNN_ATTR_TENSOR_STRIDES)->values;
}

static int64_t count_of(const descriptor *t)
{
    const int64_t *dims = dims_of(t);
    return dims[0] * dims[1] * dims[2] * dims[3];
}

static bool flag(const descriptor *t, cudnnBackendAttributeName_t name)
{
    return *(const bool *)interpreter_find(t, name)->values;
}

static char *memory_of(run *r, const descriptor *t)
{
    int64_t id = *(const int64_t *)interpreter_find(t, CUDNN_ATTR_TENSOR_UNIQUE_ID)->values;
    const attribute *ids = interpreter_find(r->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const attribute *pointers =
        interpreter_find(r->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    for (int64_t i = 0; i < ids->count; i++) {
        if (((const int64_t *)ids->values)[i] == id) {
            return ((char *const *)pointers->values)[i];
        }
    }
    r->status = CUDNN_STATUS_BAD_PARAM;
    return NULL;
}

/* Index `flat` of a tensor's dense numbers, as four. */
static void unflatten(int64_t index[4], const int64_t dims[4], int64_t flat)
{
    for (int axis = 3; axis >= 0; axis--) {
        index[axis] = flat % dims[axis];
        flat /= dims[axis];
    }
}

/* The number of a tensor that has `dims` or 1, or fewer heads, where another has `index`. */
static int64_t flatten(const int64_t dims[4], const int64_t of[4], const int64_t index[4])
{
    int64_t flat = 0;
    for (int axis = 0; axis < 4; axis++) {
        flat = flat * dims[axis] + index[axis] * dims[axis] / of[axis];
    }
    return flat;
}

/* Elements from the memory's begin on; -1: behind the end of a packed run. */
static int64_t place_of(run *r, const descriptor *t, const int64_t index[4])
{
    const descriptor *offsets = interpreter_part(t, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC);
    const int64_t *s = strides_of(t);
    int64_t place = index[1] * s[1] + index[2] * s[2] + index[3] * s[3];
    if (!offsets) {
        return place + index[0] * s[0];
    }
    const int32_t *begins = (const int32_t *)(void *)memory_of(r, offsets);
    int axis = s[3] > s[2] ? 3 : 2; /* of tokens */
    int64_t tokens = (begins[index[0] + 1] - begins[index[0]]) / s[axis];
    return index[axis] < tokens ? begins[index[0]] + place : -1;
}

static double load(cudnnDataType_t dtype, const char *memory, int64_t place)
{
    if (dtype == CUDNN_DATA_BFLOAT16) {
        return (double)judo_bf16_to_f32(((const uint16_t *)(const void *)memory)[place]);
    }
    return dtype == CUDNN_DATA_INT32 ? (double)((const int32_t *)(const void *)memory)[place]
                                     : (double)((const float *)(const void *)memory)[place];
}

static double rounded(cudnnDataType_t dtype, double value)
{
    return dtype == CUDNN_DATA_BFLOAT16
               ? (double)judo_bf16_to_f32(judo_f32_to_bf16((float)value))
           : dtype == CUDNN_DATA_FLOAT ? (double)(float)value
                                       : value;
}

static double *values_of(run *r, descriptor *t)
{
    if (t->values && t->run == r->number) {
        return t->values;
    }
    free(t->values);
    t->run = r->number;
    t->values = calloc((size_t)count_of(t) + 1, sizeof *t->values);
    const char *memory = memory_of(r, t);
    for (int64_t i = 0; memory && i < count_of(t); i++) {
        int64_t index[4];
        unflatten(index, dims_of(t), i);
        int64_t place = place_of(r, t, index);
        if (place >= 0) {
            t->values[i] =
                load((cudnnDataType_t)interpreter_number(t, CUDNN_ATTR_TENSOR_DATA_TYPE),
                     memory, place);
        }
    }
    return t->values;
}

/* The room of a result; it is kept by keep(). */
static double *room_of(const run *r, descriptor *t)
{
    t->run = r->number;
    free(t->values);
    t->values = calloc((size_t)count_of(t) + 1, sizeof *t->values);
    return t->values;
}

static void keep(run *r, descriptor *t)
{
    cudnnDataType_t dtype = (cudnnDataType_t)interpreter_number(t, CUDNN_ATTR_TENSOR_DATA_TYPE);
    char *memory = flag(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL) ? NULL : memory_of(r, t);
    for (int64_t i = 0; i < count_of(t); i++) {
        int64_t index[4];
        t->values[i] = rounded(dtype, t->values[i]);
        unflatten(index, dims_of(t), i);
        int64_t place = memory ? place_of(r, t, index) : -1;
        if (place >= 0 && dtype == CUDNN_DATA_BFLOAT16) {
            ((uint16_t *)(void *)memory)[place] =
                judo_f32_to_bf16((float)(r->factor * t->values[i]));
        } else if (place >= 0) {
            ((float *)(void *)memory)[place] = (float)t->values[i];
        }
    }
}

/* --- operations --- */

static double pointwise_of(run *r, cudnnPointwiseMode_t mode, double x, double b, double where)
{
    switch (mode) {
    case CUDNN_POINTWISE_MUL:
        return x * b;
    case CUDNN_POINTWISE_DIV:
        return x / b;
    case CUDNN_POINTWISE_ADD:
        return x + b;
    case CUDNN_POINTWISE_SUB:
        return x - b;
    case CUDNN_POINTWISE_EXP:
        return exp(x);
    case CUDNN_POINTWISE_LOG:
        return log(x);
    case CUDNN_POINTWISE_CMP_GE:
        return x >= b;
    case CUDNN_POINTWISE_CMP_LT:
        return x < b;
    case CUDNN_POINTWISE_LOGICAL_AND:
        return x != 0.0 && b != 0.0;
    case CUDNN_POINTWISE_BINARY_SELECT:
        return where != 0.0 ? x : b;
    default:
        r->status = CUDNN_STATUS_NOT_SUPPORTED;
        return 0.0;
    }
}

static double operand(run *r, descriptor *t, const int64_t dims[4], const int64_t index[4])
{
    return t ? values_of(r, t)[flatten(dims_of(t), dims, index)] : 0.0;
}

static void do_pointwise(run *r, const descriptor *operation)
{
    const descriptor *kind =
        interpreter_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
    descriptor *x = interpreter_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
    descriptor *b = interpreter_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    descriptor *where = interpreter_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
    descriptor *y = interpreter_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    cudnnPointwiseMode_t mode =
        (cudnnPointwiseMode_t)interpreter_number(kind, CUDNN_ATTR_POINTWISE_MODE);
    const attribute *axis = interpreter_find(kind, CUDNN_ATTR_POINTWISE_AXIS);
    const int64_t *dims = dims_of(y);
    double *to = room_of(r, y);
    for (int64_t i = 0; i < count_of(y); i++) {
        int64_t index[4];
        unflatten(index, dims, i);
        to[i] = mode == CUDNN_POINTWISE_GEN_INDEX
                    ? (double)index[*(const int64_t *)axis->values]
                    : pointwise_of(r, mode, operand(r, x, dims, index),
                                   operand(r, b, dims, index), operand(r, where, dims, index));
    }
    keep(r, y);
}

/* A batch's true size, or the tensors'. */
static int64_t size_of(run *r, const descriptor *operation, cudnnBackendAttributeName_t name,
                       int64_t batch, int64_t whole)
{
    descriptor *sizes = interpreter_part(operation, name);
    return sizes ? (int64_t)values_of(r, sizes)[batch] : whole;
}

static void do_product(run *r, const descriptor *operation)
{
    descriptor *a = interpreter_part(operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC);
    descriptor *b = interpreter_part(operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC);
    descriptor *c = interpreter_part(operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
    const int64_t *dims = dims_of(c);
    const int64_t *left = dims_of(a);
    const int64_t *right = dims_of(b);
    const double *x = values_of(r, a);
    const double *w = values_of(r, b);
    double *to = room_of(r, c);
    for (int64_t i = 0; i < count_of(c); i++) {
        int64_t at[4];
        unflatten(at, dims, i);
        int64_t m = size_of(r, operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC,
                            at[0], dims[2]);
        int64_t n = size_of(r, operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC,
                            at[0], dims[3]);
        int64_t depth = size_of(r, operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC,
                                at[0], left[3]);
        int64_t row =
            ((at[0] * left[1] + at[1] * left[1] / dims[1]) * left[2] + at[2]) * left[3];
        int64_t column = (at[0] * right[1] + at[1] * right[1] / dims[1]) * right[2] * right[3];
        for (int64_t k = 0; at[2] < m && at[3] < n && k < depth; k++) {
            to[i] += x[row + k] * w[column + k * right[3] + at[3]];
        }
    }
    keep(r, c);
}

static void do_reduction(run *r, const descriptor *operation)
{
    descriptor *x = interpreter_part(operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC);
    descriptor *y = interpreter_part(operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
    const descriptor *kind = interpreter_part(operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC);
    bool highest =
        interpreter_number(kind, CUDNN_ATTR_REDUCTION_OPERATOR) == CUDNN_REDUCE_TENSOR_MAX;
    const double *from = values_of(r, x);
    double *to = room_of(r, y);
    for (int64_t i = 0; highest && i < count_of(y); i++) {
        to[i] = -INFINITY;
    }
    for (int64_t i = 0; i < count_of(x); i++) {
        int64_t index[4];
        unflatten(index, dims_of(x), i);
        double *sum = &to[flatten(dims_of(y), dims_of(x), index)];
        *sum = highest ? fmax(*sum, from[i]) : *sum + from[i];
    }
    keep(r, y);
}

/* The same numbers with rows and columns changed over, which is all that is asked for. */
static void do_reshape(run *r, const descriptor *operation)
{
    descriptor *x = interpreter_part(operation, CUDNN_ATTR_OPERATION_RESHAPE_XDESC);
    descriptor *y = interpreter_part(operation, CUDNN_ATTR_OPERATION_RESHAPE_YDESC);
    const int64_t *dims = dims_of(y);
    const double *from = values_of(r, x);
    double *to = room_of(r, y);
    if (dims[2] != dims_of(x)[3] || dims[3] != dims_of(x)[2] ||
        strides_of(y)[2] != strides_of(x)[3] || strides_of(y)[3] != strides_of(x)[2]) {
        r->status = CUDNN_STATUS_NOT_SUPPORTED;
        return;
    }
    for (int64_t i = 0; i < count_of(y); i++) {
        int64_t at[4];
        unflatten(at, dims, i);
        to[i] = from[((at[0] * dims[1] + at[1]) * dims[3] + at[3]) * dims[2] + at[2]];
    }
    keep(r, y);
}

/* One query of the one-op node: its row of out, and its lse. */
static double attend(double *out, const double *q, const double *k, const double *v,
                     const int64_t keys[4], double scale)
{
    double highest = -INFINITY;
    double sum = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t t = 0; t < keys[2]; t++) {
            double score = 0.0;
            for (int64_t d = 0; d < keys[3]; d++) {
                score += scale * q[d] * k[t * keys[3] + d];
            }
            highest = pass == 0 ? fmax(highest, score) : highest;
            double weight = pass == 0 ? 0.0 : exp(score - highest);
            sum += weight;
            for (int64_t d = 0; d < keys[3]; d++) {
                out[d] += weight * v[t * keys[3] + d];
            }
        }
    }
    for (int64_t d = 0; d < keys[3]; d++) {
        out[d] /= sum;
    }
    return highest + log(sum);
}

static void do_attention(run *r, const descriptor *operation)
{
    descriptor *q = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC);
    descriptor *k = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC);
    descriptor *v = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC);
    descriptor *out = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC);
    descriptor *lse = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC);
    descriptor *scale = interpreter_part(operation, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC);
    const int64_t *dims = dims_of(q);
    const int64_t *keys = dims_of(k);
    double *to = room_of(r, out);
    double *sums = room_of(r, lse);
    for (int64_t row = 0; row < dims[0] * dims[1] * dims[2]; row++) {
        int64_t head = row / dims[2] % dims[1] * keys[1] / dims[1];
        int64_t first = (row / (dims[2] * dims[1]) * keys[1] + head) * keys[2] * keys[3];
        sums[row] =
            attend(to + row * dims[3], values_of(r, q) + row * dims[3], values_of(r, k) + first,
                   values_of(r, v) + first, keys, values_of(r, scale)[0]);
    }
    keep(r, out);
    keep(r, lse);
}

static void do_operation(run *r, const descriptor *operation)
{
    switch (operation->type) {
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        do_pointwise(r, operation);
        break;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        do_product(r, operation);
        break;
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        do_reduction(r, operation);
        break;
    case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR:
        do_reshape(r, operation);
        break;
    case CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR:
        do_attention(r, operation);
        break;
    default:
        r->status = CUDNN_STATUS_NOT_SUPPORTED;
    }
}

cudnnStatus_t interpreter_run(const descriptor *graph, const descriptor *pack, double factor)
{
    static unsigned runs;
    run r = {pack, CUDNN_STATUS_SUCCESS, factor, ++runs};
    const attribute *operations = interpreter_find(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    for (int64_t i = 0; i < operations->count && r.status == CUDNN_STATUS_SUCCESS; i++) {
        do_operation(&r, ((descriptor *const *)operations->values)[i]);
    }
    return r.status;
}
