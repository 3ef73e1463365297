/* runtime/ops/cuda/cudnn_attention.c: see cudnn_attention.h. The graphs are built by
 * cudnn_forward.c and cudnn_backward.c. */
#include "runtime/ops/cuda/cudnn_attention.h"
#include "runtime/ops/cuda/cudnn_scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_BOUND = 20 };

struct judo_cudnn_plan {
    judo_cudnn_shape shape;
    judo_cudnn_graph graph;
    int64_t delta_bytes;
};

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
    if (shape->backward) {
        plan->delta_bytes =
            shape->batch * shape->length * shape->query_heads * (int64_t)sizeof(float);
        judo_cudnn_backward(&plan->graph, shape);
    } else {
        judo_cudnn_forward(&plan->graph, shape);
    }
    if (!judo_cudnn_graph_plan(&plan->graph, most - plan->delta_bytes, device_json, reason)) {
        judo_cudnn_plan_destroy(plan);
        return NULL;
    }
    return plan;
}

void judo_cudnn_plan_destroy(judo_cudnn_plan *plan)
{
    if (plan) {
        judo_cudnn_graph_clear(&plan->graph);
    }
    free(plan);
}

static int64_t aligned(int64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

int64_t judo_cudnn_plan_bytes(const judo_cudnn_plan *plan)
{
    return aligned(plan->delta_bytes) + plan->graph.bytes;
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

/* The numbers that graphs take by value. */
static const float one = 1.0f;
static const float nothing = -INFINITY;

static void bind_all(bindings *to, const judo_cudnn_plan *plan, const judo_cudnn_call *call)
{
    bind(to, JUDO_CUDNN_Q, call->q);
    bind(to, JUDO_CUDNN_K, call->k);
    bind(to, JUDO_CUDNN_V, call->v);
    bind(to, JUDO_CUDNN_OUT, call->out);
    bind(to, JUDO_CUDNN_LSE, call->lse);
    bind(to, JUDO_CUDNN_SCALE, &call->scale);
    if (plan->shape.causal || plan->shape.packed) {
        bind(to, JUDO_CUDNN_NOTHING, &nothing);
    }
    if (plan->shape.packed) {
        bind(to, JUDO_CUDNN_LENGTHS, call->lengths);
        bind(to, JUDO_CUDNN_QUERY_OFFSETS, call->query_offsets);
        bind(to, JUDO_CUDNN_KEY_OFFSETS, call->key_offsets);
        bind(to, JUDO_CUDNN_LSE_OFFSETS, call->lse_offsets);
    }
    if (plan->shape.backward) {
        bind(to, JUDO_CUDNN_DOUT, call->dout);
        bind(to, JUDO_CUDNN_DQ, call->dq);
        bind(to, JUDO_CUDNN_DK, call->dk);
        bind(to, JUDO_CUDNN_DV, call->dv);
        bind(to, JUDO_CUDNN_ONE, &one);
        bind(to, JUDO_CUDNN_DELTA, call->workspace);
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
    bindings bound = {.count = 0};
    cudnnBackendDescriptor_t pack = NULL;
    bind_all(&bound, plan, call);
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
        status = judo_cudnn.execute(judo_cudnn.handle, plan->graph.plan, pack);
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
