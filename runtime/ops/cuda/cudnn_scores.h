/* runtime/ops/cuda/cudnn_scores.h: what the graphs of attention's two directions share: the
 * caller's tensors, and the masked scores of a query and a key. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDNN_SCORES_H
#define JUDO_RUNTIME_OPS_CUDA_CUDNN_SCORES_H

#include "runtime/ops/cuda/cudnn_graph.h"

typedef enum judo_cudnn_tensor {
    JUDO_CUDNN_Q = 1,
    JUDO_CUDNN_K,
    JUDO_CUDNN_V,
    JUDO_CUDNN_OUT,
    JUDO_CUDNN_LSE,
    JUDO_CUDNN_SCALE,
    JUDO_CUDNN_NOTHING, /* minus infinity: the score of a key that is not seen */
    JUDO_CUDNN_LENGTHS,
    JUDO_CUDNN_QUERY_OFFSETS,
    JUDO_CUDNN_KEY_OFFSETS,
    JUDO_CUDNN_LSE_OFFSETS,
    JUDO_CUDNN_DOUT,
    JUDO_CUDNN_DQ,
    JUDO_CUDNN_DK,
    JUDO_CUDNN_DV,
    JUDO_CUDNN_ONE,
    JUDO_CUDNN_DELTA,
} judo_cudnn_tensor;

/* The layouts of a shape's tensors; those of packed runs know where each begins. */
typedef struct judo_cudnn_layouts {
    judo_cudnn_layout queries, keys, turned_keys; /* as the ops have them; keys transposed */
    judo_cudnn_layout lse;
    judo_cudnn_layout scores;         /* [query, key], fp32 */
    cudnnBackendDescriptor_t lengths; /* of packed runs; else NULL */
    cudnnBackendDescriptor_t nothing; /* where something is masked; else NULL */
    cudnnBackendDescriptor_t scale;
} judo_cudnn_layouts;

extern const judo_cudnn_layout judo_cudnn_scalar; /* fp32, by value */

judo_cudnn_layouts judo_cudnn_layouts_make(judo_cudnn_graph *graph,
                                           const judo_cudnn_shape *shape);
judo_cudnn_layout judo_cudnn_layout_transposed(judo_cudnn_layout layout);
/* [batch, query heads, rows, columns], row-major. */
judo_cudnn_layout judo_cudnn_layout_dense(const judo_cudnn_shape *shape, int64_t rows,
                                          int64_t columns, cudnnDataType_t dtype);

/* scale q k^T; beyond the end of a packed run: minus infinity. */
cudnnBackendDescriptor_t judo_cudnn_scores_make(judo_cudnn_graph *graph,
                                                const judo_cudnn_layouts *layouts,
                                                cudnnBackendDescriptor_t q,
                                                cudnnBackendDescriptor_t turned_k);
/* Minus infinity where the key comes after the query. */
cudnnBackendDescriptor_t judo_cudnn_scores_causal(judo_cudnn_graph *graph,
                                                  const judo_cudnn_layouts *layouts,
                                                  cudnnBackendDescriptor_t scores);

void judo_cudnn_forward(judo_cudnn_graph *graph, const judo_cudnn_shape *shape);
void judo_cudnn_backward(judo_cudnn_graph *graph, const judo_cudnn_shape *shape);

#endif
