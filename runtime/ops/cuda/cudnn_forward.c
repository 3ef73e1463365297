/* runtime/ops/cuda/cudnn_forward.c: attention's forward pass as a graph of cuDNN's operations
 * (see cudnn_scores.h): the one-op node where nothing is masked, which has no causal bounds
 * before 9.21, else products with a softmax of reductions between them. */
#include "runtime/ops/cuda/cudnn_scores.h"

static void add_whole(judo_cudnn_graph *graph, const judo_cudnn_layouts *layouts)
{
    cudnnBackendDescriptor_t operation =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);

    const struct {
        cudnnBackendAttributeName_t name;
        judo_cudnn_tensor id;
        const judo_cudnn_layout *layout;
    } parts[] = {
        {CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, JUDO_CUDNN_Q, &layouts->queries},
        {CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, JUDO_CUDNN_K, &layouts->keys},
        {CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, JUDO_CUDNN_V, &layouts->keys},
        {CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, JUDO_CUDNN_OUT, &layouts->queries},
        {CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, JUDO_CUDNN_LSE, &layouts->lse},
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        judo_cudnn_graph_set_part(graph, operation, parts[i].name,
                                  judo_cudnn_graph_tensor(graph, parts[i].id, parts[i].layout));
    }
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC,
                              layouts->scale);
    judo_cudnn_graph_add(graph, operation);
}

/* The scores' softmax in bf16, and lse. */
static cudnnBackendDescriptor_t add_softmax(judo_cudnn_graph *graph,
                                            const judo_cudnn_shape *shape,
                                            const judo_cudnn_layouts *layouts,
                                            cudnnBackendDescriptor_t scores)
{
    const judo_cudnn_layout rows =
        judo_cudnn_layout_dense(shape, shape->length, 1, CUDNN_DATA_FLOAT);
    const judo_cudnn_layout narrow =
        judo_cudnn_layout_dense(shape, shape->length, shape->length, CUDNN_DATA_BFLOAT16);
    cudnnBackendDescriptor_t highest = judo_cudnn_graph_between(graph, &rows);
    cudnnBackendDescriptor_t less = judo_cudnn_graph_between(graph, &layouts->scores);
    cudnnBackendDescriptor_t power = judo_cudnn_graph_between(graph, &layouts->scores);
    cudnnBackendDescriptor_t sum = judo_cudnn_graph_between(graph, &rows);
    cudnnBackendDescriptor_t log = judo_cudnn_graph_between(graph, &rows);
    cudnnBackendDescriptor_t weights = judo_cudnn_graph_between(graph, &narrow);
    cudnnBackendDescriptor_t lse =
        judo_cudnn_graph_tensor(graph, JUDO_CUDNN_LSE, &layouts->lse);
    judo_cudnn_graph_reduce(graph, CUDNN_REDUCE_TENSOR_MAX, scores, highest);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_SUB, scores, highest, less);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_EXP, less, NULL, power);
    judo_cudnn_graph_reduce(graph, CUDNN_REDUCE_TENSOR_ADD, power, sum);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_LOG, sum, NULL, log);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_ADD, highest, log, lse);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_DIV, power, sum, weights);
    return weights;
}

static void add_masked(judo_cudnn_graph *graph, const judo_cudnn_shape *shape,
                       const judo_cudnn_layouts *layouts)
{
    const judo_cudnn_sizes sizes = {layouts->lengths, NULL, layouts->lengths};
    cudnnBackendDescriptor_t q =
        judo_cudnn_graph_tensor(graph, JUDO_CUDNN_Q, &layouts->queries);
    cudnnBackendDescriptor_t turned_k =
        judo_cudnn_graph_tensor(graph, JUDO_CUDNN_K, &layouts->turned_keys);
    cudnnBackendDescriptor_t v = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_V, &layouts->keys);
    cudnnBackendDescriptor_t out =
        judo_cudnn_graph_tensor(graph, JUDO_CUDNN_OUT, &layouts->queries);
    cudnnBackendDescriptor_t scores = judo_cudnn_scores_make(graph, layouts, q, turned_k);
    if (shape->causal) {
        scores = judo_cudnn_scores_causal(graph, layouts, scores);
    }
    cudnnBackendDescriptor_t weights = add_softmax(graph, shape, layouts, scores);
    judo_cudnn_graph_product(graph, weights, v, out, sizes);
}

void judo_cudnn_forward(judo_cudnn_graph *graph, const judo_cudnn_shape *shape)
{
    const judo_cudnn_layouts layouts = judo_cudnn_layouts_make(graph, shape);
    if (shape->causal || shape->packed) {
        add_masked(graph, shape, &layouts);
    } else {
        add_whole(graph, &layouts);
    }
}
