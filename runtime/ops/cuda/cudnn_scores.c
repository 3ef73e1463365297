/* runtime/ops/cuda/cudnn_scores.c: see cudnn_scores.h. cuDNN knows attention by the pattern of
 * its operations, which is the one that cudnn-frontend's composite node builds
 * (scaled_dot_product_flash_attention.h, diagonal_band_mask.h). */
#include "runtime/ops/cuda/cudnn_scores.h"

const judo_cudnn_layout judo_cudnn_scalar = {
    {1, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_FLOAT, true, NULL};

/* --- layouts --- */

/* int32 numbers of the batch. */
static cudnnBackendDescriptor_t numbers(judo_cudnn_graph *graph, int64_t id, int64_t count)
{
    const judo_cudnn_layout layout = {
        {count, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_INT32, false, NULL};
    return judo_cudnn_graph_tensor(graph, id, &layout);
}

/* Tokens times heads as the ops have them: the heads of a token are neighbours. */
static judo_cudnn_layout rows_layout(const judo_cudnn_shape *shape, int heads, int64_t width,
                                     cudnnDataType_t dtype)
{
    int64_t row = heads * width;
    return (judo_cudnn_layout){{shape->batch, heads, shape->length, width},
                               {shape->length * row, width, row, 1},
                               dtype,
                               false,
                               NULL};
}

judo_cudnn_layout judo_cudnn_layout_transposed(judo_cudnn_layout layout)
{
    judo_cudnn_layout turned = layout;
    for (int i = 0; i < 2; i++) {
        turned.dims[2 + i] = layout.dims[3 - i];
        turned.strides[2 + i] = layout.strides[3 - i];
    }
    return turned;
}

judo_cudnn_layout judo_cudnn_layout_dense(const judo_cudnn_shape *shape, int64_t rows,
                                          int64_t columns, cudnnDataType_t dtype)
{
    return (judo_cudnn_layout){
        {shape->batch, shape->query_heads, rows, columns},
        {shape->query_heads * rows * columns, rows * columns, columns, 1},
        dtype,
        false,
        NULL};
}

judo_cudnn_layouts judo_cudnn_layouts_make(judo_cudnn_graph *graph,
                                           const judo_cudnn_shape *shape)
{
    judo_cudnn_layouts l = {
        .queries = rows_layout(shape, shape->query_heads, shape->dim, CUDNN_DATA_BFLOAT16),
        .keys = rows_layout(shape, shape->key_heads, shape->dim, CUDNN_DATA_BFLOAT16),
        .lse = rows_layout(shape, shape->query_heads, 1, CUDNN_DATA_FLOAT),
        .scores =
            judo_cudnn_layout_dense(shape, shape->length, shape->length, CUDNN_DATA_FLOAT),
        .scale = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_SCALE, &judo_cudnn_scalar),
    };
    if (shape->packed) {
        int64_t ends = shape->batch + 1;
        l.lengths = numbers(graph, JUDO_CUDNN_LENGTHS, shape->batch);
        l.queries.offsets = numbers(graph, JUDO_CUDNN_QUERY_OFFSETS, ends);
        l.keys.offsets = numbers(graph, JUDO_CUDNN_KEY_OFFSETS, ends);
        l.lse.offsets = numbers(graph, JUDO_CUDNN_LSE_OFFSETS, ends);
    }
    l.turned_keys = judo_cudnn_layout_transposed(l.keys);
    if (shape->packed || shape->causal) {
        l.nothing = judo_cudnn_graph_tensor(graph, JUDO_CUDNN_NOTHING, &judo_cudnn_scalar);
    }
    return l;
}

/* --- scores --- */

static cudnnBackendDescriptor_t
between(judo_cudnn_graph *graph, const judo_cudnn_layouts *layouts, cudnnDataType_t dtype)
{
    judo_cudnn_layout layout = layouts->scores;
    layout.dtype = dtype;
    return judo_cudnn_graph_between(graph, &layout);
}

/* Where each score stands: axis 2: its query, 3: its key. */
static cudnnBackendDescriptor_t place(judo_cudnn_graph *graph,
                                      const judo_cudnn_layouts *layouts,
                                      cudnnBackendDescriptor_t scores, int64_t axis)
{
    cudnnBackendDescriptor_t index = between(graph, layouts, CUDNN_DATA_INT32);
    judo_cudnn_graph_index(graph, axis, scores, index);
    return index;
}

static cudnnBackendDescriptor_t select_scores(judo_cudnn_graph *graph,
                                              const judo_cudnn_layouts *layouts,
                                              cudnnBackendDescriptor_t scores,
                                              cudnnBackendDescriptor_t seen)
{
    cudnnBackendDescriptor_t masked = between(graph, layouts, CUDNN_DATA_FLOAT);
    judo_cudnn_graph_select(graph, scores, layouts->nothing, seen, masked);
    return masked;
}

static cudnnBackendDescriptor_t mask_ends(judo_cudnn_graph *graph,
                                          const judo_cudnn_layouts *layouts,
                                          cudnnBackendDescriptor_t scores)
{
    cudnnBackendDescriptor_t query = place(graph, layouts, scores, 2);
    cudnnBackendDescriptor_t key = place(graph, layouts, scores, 3);
    cudnnBackendDescriptor_t is_query = between(graph, layouts, CUDNN_DATA_BOOLEAN);
    cudnnBackendDescriptor_t is_key = between(graph, layouts, CUDNN_DATA_BOOLEAN);
    cudnnBackendDescriptor_t both = between(graph, layouts, CUDNN_DATA_BOOLEAN);
    judo_cudnn_graph_compare(graph, CUDNN_POINTWISE_CMP_LT, query, layouts->lengths, is_query);
    judo_cudnn_graph_compare(graph, CUDNN_POINTWISE_CMP_LT, key, layouts->lengths, is_key);
    judo_cudnn_graph_compare(graph, CUDNN_POINTWISE_LOGICAL_AND, is_query, is_key, both);
    return select_scores(graph, layouts, scores, both);
}

cudnnBackendDescriptor_t judo_cudnn_scores_make(judo_cudnn_graph *graph,
                                                const judo_cudnn_layouts *layouts,
                                                cudnnBackendDescriptor_t q,
                                                cudnnBackendDescriptor_t turned_k)
{
    const judo_cudnn_sizes sizes = {layouts->lengths, layouts->lengths, NULL};
    cudnnBackendDescriptor_t product = between(graph, layouts, CUDNN_DATA_FLOAT);
    cudnnBackendDescriptor_t scaled = between(graph, layouts, CUDNN_DATA_FLOAT);
    judo_cudnn_graph_product(graph, q, turned_k, product, sizes);
    judo_cudnn_graph_pointwise(graph, CUDNN_POINTWISE_MUL, product, layouts->scale, scaled);
    return layouts->lengths ? mask_ends(graph, layouts, scaled) : scaled;
}

cudnnBackendDescriptor_t judo_cudnn_scores_causal(judo_cudnn_graph *graph,
                                                  const judo_cudnn_layouts *layouts,
                                                  cudnnBackendDescriptor_t scores)
{
    cudnnBackendDescriptor_t query = place(graph, layouts, scores, 2);
    cudnnBackendDescriptor_t key = place(graph, layouts, scores, 3);
    cudnnBackendDescriptor_t seen = between(graph, layouts, CUDNN_DATA_BOOLEAN);
    judo_cudnn_graph_compare(graph, CUDNN_POINTWISE_CMP_GE, query, key, seen);
    return select_scores(graph, layouts, scores, seen);
}
