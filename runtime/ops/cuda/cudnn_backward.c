/* runtime/ops/cuda/cudnn_backward.c: attention's backward pass as a graph of cuDNN's operations
 * (see cudnn_scores.h), in the form that has the same bits each time: dq is one product, not
 * sums in the order of arrival. */
#include "runtime/ops/cuda/cudnn_scores.h"

typedef struct backward {
    judo_cudnn_graph *graph;
    const judo_cudnn_shape *shape;
    judo_cudnn_layouts layouts;
    cudnnBackendDescriptor_t q, turned_k, turned_v, dout;
} backward;

/* The gradient of keys or values: a product, summed over the query heads of a key head. */
static void add_key_gradient(const backward *to, cudnnBackendDescriptor_t scores,
                             cudnnBackendDescriptor_t queries, judo_cudnn_tensor id)
{
    const judo_cudnn_shape *shape = to->shape;
    const judo_cudnn_sizes sizes = {to->layouts.lengths, NULL, to->layouts.lengths};
    const judo_cudnn_layout turned = judo_cudnn_layout_transposed(
        judo_cudnn_layout_dense(shape, shape->length, shape->length, CUDNN_DATA_BFLOAT16));
    const judo_cudnn_layout heads =
        judo_cudnn_layout_dense(shape, shape->length, shape->dim, CUDNN_DATA_BFLOAT16);
    cudnnBackendDescriptor_t transpose = judo_cudnn_graph_between(to->graph, &turned);
    cudnnBackendDescriptor_t gradient =
        judo_cudnn_graph_tensor(to->graph, id, &to->layouts.keys);
    judo_cudnn_graph_reshape(to->graph, scores, transpose);
    if (shape->query_heads == shape->key_heads) {
        judo_cudnn_graph_product(to->graph, transpose, queries, gradient, sizes);
    } else {
        cudnnBackendDescriptor_t all = judo_cudnn_graph_between(to->graph, &heads);
        judo_cudnn_graph_product(to->graph, transpose, queries, all, sizes);
        judo_cudnn_graph_reduce(to->graph, CUDNN_REDUCE_TENSOR_ADD, all, gradient);
    }
}

/* delta = sum of dout out. */
static cudnnBackendDescriptor_t add_delta(const backward *to)
{
    judo_cudnn_layout products = to->layouts.queries;
    products.dtype = CUDNN_DATA_FLOAT;
    products.offsets = NULL;
    const judo_cudnn_layout sums =
        judo_cudnn_layout_dense(to->shape, to->shape->length, 1, CUDNN_DATA_FLOAT);
    cudnnBackendDescriptor_t out =
        judo_cudnn_graph_tensor(to->graph, JUDO_CUDNN_OUT, &to->layouts.queries);
    cudnnBackendDescriptor_t one =
        judo_cudnn_graph_tensor(to->graph, JUDO_CUDNN_ONE, &judo_cudnn_scalar);
    cudnnBackendDescriptor_t product = judo_cudnn_graph_between(to->graph, &products);
    cudnnBackendDescriptor_t sum = judo_cudnn_graph_between(to->graph, &sums);
    cudnnBackendDescriptor_t delta =
        judo_cudnn_graph_tensor(to->graph, JUDO_CUDNN_DELTA, &sums);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_MUL, to->dout, out, product);
    judo_cudnn_graph_reduce(to->graph, CUDNN_REDUCE_TENSOR_ADD, product, sum);
    /* cuDNN knows the whole pattern, with dropout's scale here. */
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_MUL, sum, one, delta);
    return delta;
}

/* p = exp(scale q k^T - lse), the mask after the subtraction, as the pattern has it. */
static cudnnBackendDescriptor_t add_weights(const backward *to)
{
    cudnnBackendDescriptor_t lse =
        judo_cudnn_graph_tensor(to->graph, JUDO_CUDNN_LSE, &to->layouts.lse);
    cudnnBackendDescriptor_t scores =
        judo_cudnn_scores_make(to->graph, &to->layouts, to->q, to->turned_k);
    cudnnBackendDescriptor_t less = judo_cudnn_graph_between(to->graph, &to->layouts.scores);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_SUB, scores, lse, less);
    if (to->shape->causal) {
        less = judo_cudnn_scores_causal(to->graph, &to->layouts, less);
    }
    cudnnBackendDescriptor_t weights = judo_cudnn_graph_between(to->graph, &to->layouts.scores);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_EXP, less, NULL, weights);
    return weights;
}

/* scale p (dout v^T - delta). */
static cudnnBackendDescriptor_t add_score_gradient(const backward *to,
                                                   cudnnBackendDescriptor_t weights,
                                                   cudnnBackendDescriptor_t delta)
{
    const judo_cudnn_sizes sizes = {to->layouts.lengths, to->layouts.lengths, NULL};
    const judo_cudnn_layout *scores = &to->layouts.scores;
    cudnnBackendDescriptor_t product = judo_cudnn_graph_between(to->graph, scores);
    cudnnBackendDescriptor_t less = judo_cudnn_graph_between(to->graph, scores);
    cudnnBackendDescriptor_t weighted = judo_cudnn_graph_between(to->graph, scores);
    cudnnBackendDescriptor_t gradient = judo_cudnn_graph_between(to->graph, scores);
    judo_cudnn_graph_product(to->graph, to->dout, to->turned_v, product, sizes);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_SUB, product, delta, less);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_MUL, less, weights, weighted);
    judo_cudnn_graph_pointwise(to->graph, CUDNN_POINTWISE_MUL, weighted, to->layouts.scale,
                               gradient);
    return gradient;
}

void judo_cudnn_backward(judo_cudnn_graph *graph, const judo_cudnn_shape *shape)
{
    backward to = {graph, shape, judo_cudnn_layouts_make(graph, shape), NULL, NULL, NULL, NULL};
    const judo_cudnn_layouts *layouts = &to.layouts;
    to.q = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_Q, &layouts->queries);
    to.turned_k = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_K, &layouts->turned_keys);
    to.turned_v = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_V, &layouts->turned_keys);
    to.dout = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_DOUT, &layouts->queries);
    cudnnBackendDescriptor_t delta = add_delta(&to);
    cudnnBackendDescriptor_t weights = add_weights(&to);
    add_key_gradient(&to, weights, to.dout, JUDO_CUDNN_DV);
    cudnnBackendDescriptor_t gradient = add_score_gradient(&to, weights, delta);
    add_key_gradient(&to, gradient, to.q, JUDO_CUDNN_DK);
    cudnnBackendDescriptor_t rows = judo_cudnn_graph_between(graph, &layouts->keys);
    cudnnBackendDescriptor_t dq =
        judo_cudnn_graph_tensor(graph, JUDO_CUDNN_DQ, &layouts->queries);
    judo_cudnn_graph_reshape(graph, to.turned_k, rows);
    judo_cudnn_graph_product(graph, gradient, rows, dq,
                             (judo_cudnn_sizes){layouts->lengths, NULL, layouts->lengths});
}
