/* runtime/ops/cuda/cudnn_attention.c: see cudnn_attention.h. Forward is cuDNN's one-op node,
 * which has no causal bounds before 9.21: causal spans stay with our kernels. Backward is the
 * graph that cudnn-frontend's composite node builds (scaled_dot_product_flash_attention.h),
 * in its deterministic form: dq is one product, not sums in the order of arrival. */
#include "runtime/ops/cuda/cudnn_attention.h"
#include "runtime/ops/cuda/cudnn_library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DESCRIPTORS = 96, MOST_OPERATIONS = 20, MOST_CONFIGS = 8, MOST_BOUND = 16 };

typedef enum tensor_id {
    ID_Q = 1,
    ID_K,
    ID_V,
    ID_OUT,
    ID_LSE,
    ID_SCALE,
    ID_DOUT,
    ID_DQ,
    ID_DK,
    ID_DV,
    ID_ONE,
    ID_DELTA,
    ID_VIRTUAL = 100,
} tensor_id;

struct judo_cudnn_plan {
    judo_cudnn_shape shape;
    cudnnBackendDescriptor_t owned[MOST_DESCRIPTORS]; /* in the order they were made */
    cudnnBackendDescriptor_t operations[MOST_OPERATIONS];
    cudnnBackendDescriptor_t graph, device, chosen;
    int num_owned, num_operations;
    int64_t next_virtual, bytes, delta_bytes;
    const char *failed; /* the first call that failed, and how; NULL: none */
    cudnnStatus_t status;
};

/* --- descriptors; after a failure the rest of a graph is walked through and nothing done ---
 */

static void note(judo_cudnn_plan *plan, cudnnStatus_t status, const char *what)
{
    if (status != CUDNN_STATUS_SUCCESS && !plan->failed) {
        plan->failed = what;
        plan->status = status;
    }
}

static cudnnBackendDescriptor_t make(judo_cudnn_plan *plan, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t made = NULL;
    if (plan->failed) {
        return NULL;
    }
    if (plan->num_owned == MOST_DESCRIPTORS) {
        note(plan, CUDNN_STATUS_INTERNAL_ERROR, "too many descriptors");
        return NULL;
    }
    note(plan, judo_cudnn.create_descriptor(type, &made), "create a descriptor");
    if (made) {
        plan->owned[plan->num_owned++] = made;
    }
    return made;
}

static void set(judo_cudnn_plan *plan, cudnnBackendDescriptor_t descriptor,
                cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                int64_t count, const void *values)
{
    if (!plan->failed) {
        note(plan, judo_cudnn.set_attribute(descriptor, name, type, count, values),
             "set an attribute");
    }
}

static void set_part(judo_cudnn_plan *plan, cudnnBackendDescriptor_t descriptor,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part)
{
    set(plan, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, (const void *)&part);
}

static void finish(judo_cudnn_plan *plan, cudnnBackendDescriptor_t descriptor, const char *what)
{
    if (!plan->failed) {
        note(plan, judo_cudnn.finalize(descriptor), what);
    }
}

/* What a tensor is: [batch, heads, rows, columns] and its strides. */
typedef struct layout {
    int64_t dims[4], strides[4];
    cudnnDataType_t dtype;
} layout;

static cudnnBackendDescriptor_t tensor(judo_cudnn_plan *plan, int64_t id, const layout *is)
{
    const int64_t alignment = 16;
    const bool virtual = id >= ID_VIRTUAL;
    const bool by_value = id == ID_SCALE || id == ID_ONE;
    cudnnBackendDescriptor_t t = make(plan, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(plan, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &is->dtype);
    set(plan, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, is->dims);
    set(plan, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, is->strides);
    set(plan, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(plan, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(plan, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &virtual);
    set(plan, t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finish(plan, t, "a tensor");
    return t;
}

/* Tokens times heads as the ops have them: the heads of a token are neighbours. */
static layout rows_layout(const judo_cudnn_shape *shape, int heads)
{
    int64_t row = (int64_t)heads * shape->dim;
    return (layout){{shape->batch, heads, shape->length, shape->dim},
                    {shape->length * row, shape->dim, row, 1},
                    CUDNN_DATA_BFLOAT16};
}

static layout transposed(layout is)
{
    return (layout){{is.dims[0], is.dims[1], is.dims[3], is.dims[2]},
                    {is.strides[0], is.strides[1], is.strides[3], is.strides[2]},
                    is.dtype};
}

/* lse as the ops have it: [tokens, heads]. */
static layout lse_layout(const judo_cudnn_shape *shape)
{
    return (layout){{shape->batch, shape->query_heads, shape->length, 1},
                    {shape->length * shape->query_heads, 1, shape->query_heads, 1},
                    CUDNN_DATA_FLOAT};
}

/* Dense, row-major. */
static layout dense_layout(const judo_cudnn_shape *shape, int64_t rows, int64_t columns,
                           cudnnDataType_t dtype)
{
    return (layout){{shape->batch, shape->query_heads, rows, columns},
                    {shape->query_heads * rows * columns, rows * columns, columns, 1},
                    dtype};
}

static const layout scalar_layout = {{1, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_FLOAT};

static cudnnBackendDescriptor_t between(judo_cudnn_plan *plan, const layout *is)
{
    return tensor(plan, plan->next_virtual++, is);
}

static void add_operation(judo_cudnn_plan *plan, cudnnBackendDescriptor_t operation)
{
    finish(plan, operation, "an operation");
    if (!plan->failed) {
        plan->operations[plan->num_operations++] = operation;
    }
}

/* y = mode(x, b); b NULL: of x alone. */
static void pointwise(judo_cudnn_plan *plan, cudnnPointwiseMode_t mode,
                      cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                      cudnnBackendDescriptor_t y)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind = make(plan, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(plan, kind, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(plan, kind, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finish(plan, kind, "a pointwise kind");
    cudnnBackendDescriptor_t operation =
        make(plan, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b) {
        set_part(plan, operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    }
    set_part(plan, operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add_operation(plan, operation);
}

static void multiply(judo_cudnn_plan *plan, cudnnBackendDescriptor_t a,
                     cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t c)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind = make(plan, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    set(plan, kind, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    finish(plan, kind, "a product's kind");
    cudnnBackendDescriptor_t operation = make(plan, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    add_operation(plan, operation);
}

static void add_up(judo_cudnn_plan *plan, cudnnBackendDescriptor_t x,
                   cudnnBackendDescriptor_t y)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    const cudnnReduceTensorOp_t sum = CUDNN_REDUCE_TENSOR_ADD;
    cudnnBackendDescriptor_t kind = make(plan, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    set(plan, kind, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    set(plan, kind, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &sum);
    finish(plan, kind, "a reduction's kind");
    cudnnBackendDescriptor_t operation =
        make(plan, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
    add_operation(plan, operation);
}

static void reshape(judo_cudnn_plan *plan, cudnnBackendDescriptor_t x,
                    cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t operation = make(plan, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
    add_operation(plan, operation);
}

/* --- the two graphs --- */

static void add_forward(judo_cudnn_plan *plan)
{
    const layout queries = rows_layout(&plan->shape, plan->shape.query_heads);
    const layout keys = rows_layout(&plan->shape, plan->shape.key_heads);
    const layout lse = lse_layout(&plan->shape);
    cudnnBackendDescriptor_t q = tensor(plan, ID_Q, &queries);
    cudnnBackendDescriptor_t k = tensor(plan, ID_K, &keys);
    cudnnBackendDescriptor_t v = tensor(plan, ID_V, &keys);
    cudnnBackendDescriptor_t out = tensor(plan, ID_OUT, &queries);
    cudnnBackendDescriptor_t stats = tensor(plan, ID_LSE, &lse);
    cudnnBackendDescriptor_t scale = tensor(plan, ID_SCALE, &scalar_layout);
    cudnnBackendDescriptor_t operation =
        make(plan, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, stats);
    set_part(plan, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    add_operation(plan, operation);
}

/* The gradient of keys or values: a product, summed over the query heads of a key head. */
static void add_key_gradient(judo_cudnn_plan *plan, cudnnBackendDescriptor_t scores,
                             cudnnBackendDescriptor_t queries, int64_t id)
{
    const judo_cudnn_shape *shape = &plan->shape;
    layout turned =
        transposed(dense_layout(shape, shape->length, shape->length, CUDNN_DATA_BFLOAT16));
    const layout keys = rows_layout(shape, shape->key_heads);
    const layout heads = dense_layout(shape, shape->length, shape->dim, CUDNN_DATA_BFLOAT16);
    cudnnBackendDescriptor_t transpose = between(plan, &turned);
    cudnnBackendDescriptor_t gradient = tensor(plan, id, &keys);
    reshape(plan, scores, transpose);
    if (shape->query_heads == shape->key_heads) {
        multiply(plan, transpose, queries, gradient);
    } else {
        cudnnBackendDescriptor_t all = between(plan, &heads);
        multiply(plan, transpose, queries, all);
        add_up(plan, all, gradient);
    }
}

/* delta = sum of dout out. */
static cudnnBackendDescriptor_t add_delta(judo_cudnn_plan *plan, cudnnBackendDescriptor_t dout)
{
    const judo_cudnn_shape *shape = &plan->shape;
    const layout queries = rows_layout(shape, shape->query_heads);
    layout products = queries;
    products.dtype = CUDNN_DATA_FLOAT;
    const layout sums = dense_layout(shape, shape->length, 1, CUDNN_DATA_FLOAT);
    cudnnBackendDescriptor_t out = tensor(plan, ID_OUT, &queries);
    cudnnBackendDescriptor_t one = tensor(plan, ID_ONE, &scalar_layout);
    cudnnBackendDescriptor_t product = between(plan, &products);
    cudnnBackendDescriptor_t sum = between(plan, &sums);
    cudnnBackendDescriptor_t delta = tensor(plan, ID_DELTA, &sums);
    pointwise(plan, CUDNN_POINTWISE_MUL, dout, out, product);
    add_up(plan, product, sum);
    pointwise(plan, CUDNN_POINTWISE_MUL, sum, one, delta); /* cuDNN knows the whole pattern */
    return delta;
}

/* p = exp(scale q k^T - lse). */
static cudnnBackendDescriptor_t add_weights(judo_cudnn_plan *plan, cudnnBackendDescriptor_t q,
                                            cudnnBackendDescriptor_t k,
                                            cudnnBackendDescriptor_t scale)
{
    const judo_cudnn_shape *shape = &plan->shape;
    const layout scores = dense_layout(shape, shape->length, shape->length, CUDNN_DATA_FLOAT);
    const layout lse = lse_layout(shape);
    cudnnBackendDescriptor_t stats = tensor(plan, ID_LSE, &lse);
    cudnnBackendDescriptor_t product = between(plan, &scores);
    cudnnBackendDescriptor_t scaled = between(plan, &scores);
    cudnnBackendDescriptor_t less = between(plan, &scores);
    cudnnBackendDescriptor_t weights = between(plan, &scores);
    multiply(plan, q, k, product);
    pointwise(plan, CUDNN_POINTWISE_MUL, product, scale, scaled);
    pointwise(plan, CUDNN_POINTWISE_SUB, scaled, stats, less);
    pointwise(plan, CUDNN_POINTWISE_EXP, less, NULL, weights);
    return weights;
}

static void add_backward(judo_cudnn_plan *plan)
{
    const judo_cudnn_shape *shape = &plan->shape;
    const layout queries = rows_layout(shape, shape->query_heads);
    const layout keys = rows_layout(shape, shape->key_heads);
    const layout turned = transposed(keys);
    const layout scores = dense_layout(shape, shape->length, shape->length, CUDNN_DATA_FLOAT);
    cudnnBackendDescriptor_t q = tensor(plan, ID_Q, &queries);
    cudnnBackendDescriptor_t k = tensor(plan, ID_K, &turned);
    cudnnBackendDescriptor_t v = tensor(plan, ID_V, &turned);
    cudnnBackendDescriptor_t dout = tensor(plan, ID_DOUT, &queries);
    cudnnBackendDescriptor_t scale = tensor(plan, ID_SCALE, &scalar_layout);
    cudnnBackendDescriptor_t delta = add_delta(plan, dout);
    cudnnBackendDescriptor_t weights = add_weights(plan, q, k, scale);
    add_key_gradient(plan, weights, dout, ID_DV);
    cudnnBackendDescriptor_t product = between(plan, &scores);
    cudnnBackendDescriptor_t less = between(plan, &scores);
    cudnnBackendDescriptor_t weighted = between(plan, &scores);
    cudnnBackendDescriptor_t dscores = between(plan, &scores);
    multiply(plan, dout, v, product);
    pointwise(plan, CUDNN_POINTWISE_SUB, product, delta, less);
    pointwise(plan, CUDNN_POINTWISE_MUL, less, weights, weighted);
    pointwise(plan, CUDNN_POINTWISE_MUL, weighted, scale, dscores);
    add_key_gradient(plan, dscores, q, ID_DK);
    cudnnBackendDescriptor_t rows = between(plan, &keys);
    cudnnBackendDescriptor_t dq = tensor(plan, ID_DQ, &queries);
    reshape(plan, k, rows);
    multiply(plan, dscores, rows, dq);
    plan->delta_bytes =
        shape->batch * shape->length * shape->query_heads * (int64_t)sizeof(float);
}

/* --- plans --- */

static void finish_graph(judo_cudnn_plan *plan, const char *device_json)
{
    if (device_json) {
        plan->device = make(plan, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
        set(plan, plan->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            (int64_t)strlen(device_json), device_json);
        finish(plan, plan->device, "a device's description");
    }
    plan->graph = make(plan, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(plan, plan->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
        plan->num_operations, (const void *)plan->operations);
    if (!device_json) {
        set(plan, plan->graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
            (const void *)&judo_cudnn.handle);
    }
    finish(plan, plan->graph, "the graph");
}

/* A plan of one of the heuristics' configurations; NULL: it cannot be built or takes too much.
 */
static cudnnBackendDescriptor_t try_config(judo_cudnn_plan *plan,
                                           cudnnBackendDescriptor_t config, int64_t most)
{
    int64_t bytes = 0;
    int64_t count = 0;
    cudnnBackendDescriptor_t built = make(plan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_part(plan, built, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (plan->device) {
        set_part(plan, built, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, plan->device);
    } else {
        set(plan, built, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
            (const void *)&judo_cudnn.handle);
    }
    if (plan->failed) {
        return NULL;
    }
    plan->status = judo_cudnn.finalize(built);
    if (plan->status == CUDNN_STATUS_SUCCESS) {
        plan->status = judo_cudnn.get_attribute(built, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                CUDNN_TYPE_INT64, 1, &count, &bytes);
    }
    if (plan->status != CUDNN_STATUS_SUCCESS || bytes < 0 || bytes > most) {
        return NULL;
    }
    plan->bytes = bytes;
    return built;
}

static void choose_config(judo_cudnn_plan *plan, int64_t most)
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    cudnnBackendDescriptor_t configs[MOST_CONFIGS];
    int64_t count = 0;
    cudnnBackendDescriptor_t rule = make(plan, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_part(plan, rule, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, plan->graph);
    set(plan, rule, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (plan->device) {
        set_part(plan, rule, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, plan->device);
    }
    finish(plan, rule, "the heuristics");
    for (int i = 0; i < MOST_CONFIGS; i++) {
        configs[i] = make(plan, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    }
    if (!plan->failed) {
        note(plan,
             judo_cudnn.get_attribute(rule, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                      CUDNN_TYPE_BACKEND_DESCRIPTOR, MOST_CONFIGS, &count,
                                      (void *)configs),
             "the heuristics' results");
    }
    plan->status = CUDNN_STATUS_NOT_SUPPORTED;
    for (int64_t i = 0; i < count && i < MOST_CONFIGS && !plan->failed && !plan->chosen; i++) {
        plan->chosen = try_config(plan, configs[i], most);
    }
    if (!plan->chosen && !plan->failed) {
        plan->failed = plan->status == CUDNN_STATUS_SUCCESS
                           ? "no configuration has so small a workspace"
                           : "no configuration can be built";
    }
}

judo_cudnn_plan *judo_cudnn_plan_create(const judo_cudnn_shape *shape, int64_t most,
                                        const char *device_json, char reason[JUDO_CUDNN_REASON])
{
    if (device_json ? !judo_cudnn_load(reason) : !judo_cudnn_open(reason)) {
        return NULL;
    }
    judo_cudnn_plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "no memory for a plan");
        return NULL;
    }
    plan->shape = *shape;
    plan->next_virtual = ID_VIRTUAL;
    if (shape->backward) {
        add_backward(plan);
    } else {
        add_forward(plan);
    }
    finish_graph(plan, device_json);
    choose_config(plan, most - plan->delta_bytes);
    if (plan->failed) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "%s: %s", plan->failed,
                       judo_cudnn.error_string(plan->status));
        judo_cudnn_plan_destroy(plan);
        return NULL;
    }
    return plan;
}

void judo_cudnn_plan_destroy(judo_cudnn_plan *plan)
{
    for (int i = plan ? plan->num_owned : 0; i > 0; i--) {
        (void)judo_cudnn.destroy_descriptor(plan->owned[i - 1]);
    }
    free(plan);
}

static int64_t aligned(int64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

int64_t judo_cudnn_plan_bytes(const judo_cudnn_plan *plan)
{
    return aligned(plan->delta_bytes) + plan->bytes;
}

/* --- running --- */

typedef struct bindings {
    int64_t ids[MOST_BOUND];
    const void *pointers[MOST_BOUND];
    int64_t count;
} bindings;

static void bind(bindings *to, int64_t id, const void *pointer)
{
    to->ids[to->count] = id;
    to->pointers[to->count++] = pointer;
}

static void bind_all(bindings *to, const judo_cudnn_plan *plan, const judo_cudnn_call *call,
                     const float *one)
{
    bind(to, ID_Q, call->q);
    bind(to, ID_K, call->k);
    bind(to, ID_V, call->v);
    bind(to, ID_OUT, call->out);
    bind(to, ID_LSE, call->lse);
    bind(to, ID_SCALE, &call->scale);
    if (plan->shape.backward) {
        bind(to, ID_DOUT, call->dout);
        bind(to, ID_DQ, call->dq);
        bind(to, ID_DK, call->dk);
        bind(to, ID_DV, call->dv);
        bind(to, ID_ONE, one);
        bind(to, ID_DELTA, call->workspace);
    }
}

static cudnnStatus_t fill_pack(cudnnBackendDescriptor_t pack, const bindings *bound,
                               const void *workspace)
{
    cudnnStatus_t status = judo_cudnn.set_attribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                                    CUDNN_TYPE_INT64, bound->count, bound->ids);
    if (status == CUDNN_STATUS_SUCCESS) {
        status = judo_cudnn.set_attribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                          CUDNN_TYPE_VOID_PTR, bound->count,
                                          (const void *)bound->pointers);
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        status = judo_cudnn.set_attribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                          CUDNN_TYPE_VOID_PTR, 1, (const void *)&workspace);
    }
    return status == CUDNN_STATUS_SUCCESS ? judo_cudnn.finalize(pack) : status;
}

bool judo_cudnn_plan_run(judo_cudnn_plan *plan, const judo_cudnn_call *call, void *stream,
                         char reason[JUDO_CUDNN_REASON])
{
    const float one = 1.0f;
    bindings bound = {.count = 0};
    cudnnBackendDescriptor_t pack = NULL;
    bind_all(&bound, plan, call, &one);
    cudnnStatus_t status =
        judo_cudnn.create_descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (status == CUDNN_STATUS_SUCCESS) {
        status =
            fill_pack(pack, &bound, (const char *)call->workspace + aligned(plan->delta_bytes));
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        status = judo_cudnn.set_stream(judo_cudnn.handle, (cudaStream_t)stream);
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        status = judo_cudnn.execute(judo_cudnn.handle, plan->chosen, pack);
    }
    if (pack) {
        (void)judo_cudnn.destroy_descriptor(pack);
    }
    if (status != CUDNN_STATUS_SUCCESS) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "cudnnBackendExecute: %s",
                       judo_cudnn.error_string(status));
    }
    return status == CUDNN_STATUS_SUCCESS;
}
