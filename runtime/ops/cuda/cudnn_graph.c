/* runtime/ops/cuda/cudnn_graph.c: the operations of cudnn_graph.h. */
#include "runtime/ops/cuda/cudnn_graph.h"
#include "runtime/ops/cuda/cudnn_descriptor.h"

/* --- tensors --- */

cudnnBackendDescriptor_t judo_cudnn_graph_tensor(judo_cudnn_graph *graph, int64_t id,
                                                 const judo_cudnn_layout *layout)
{
    const int64_t alignment = 16;
    const bool virtual = id >= JUDO_CUDNN_BETWEEN;
    cudnnBackendDescriptor_t t = judo_cudnn_graph_make(graph, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
                         &layout->dtype);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4,
                         layout->dims);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4,
                         layout->strides);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1,
                         &alignment);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1,
                         &virtual);
    judo_cudnn_graph_set(graph, t, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1,
                         &layout->by_value);
    if (layout->offsets) {
        judo_cudnn_graph_set_part(graph, t, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC,
                                  layout->offsets);
    }
    judo_cudnn_graph_finish(graph, t, "a tensor");
    return t;
}

cudnnBackendDescriptor_t judo_cudnn_graph_between(judo_cudnn_graph *graph,
                                                  const judo_cudnn_layout *layout)
{
    return judo_cudnn_graph_tensor(graph, JUDO_CUDNN_BETWEEN + graph->num_between++, layout);
}

/* --- operations --- */

void judo_cudnn_graph_add(judo_cudnn_graph *graph, cudnnBackendDescriptor_t operation)
{
    judo_cudnn_graph_finish(graph, operation, "an operation");
    if (!graph->failed && graph->num_operations == JUDO_CUDNN_OPERATIONS) {
        judo_cudnn_graph_note(graph, CUDNN_STATUS_INTERNAL_ERROR, "too many operations");
    }
    if (!graph->failed) {
        graph->operations[graph->num_operations++] = operation;
    }
}

/* axis < 0: the mode has none. */
static cudnnBackendDescriptor_t pointwise_kind(judo_cudnn_graph *graph,
                                               cudnnPointwiseMode_t mode,
                                               cudnnDataType_t precision, int64_t axis)
{
    cudnnBackendDescriptor_t kind =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1,
                         &mode);
    judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1,
                         &precision);
    if (axis >= 0) {
        judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1,
                             &axis);
    }
    judo_cudnn_graph_finish(graph, kind, "a pointwise kind");
    return kind;
}

static void pointwise(judo_cudnn_graph *graph, cudnnBackendDescriptor_t kind,
                      cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                      cudnnBackendDescriptor_t where, cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t operation =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
                              kind);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b) {
        judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    }
    if (where) {
        judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_POINTWISE_TDESC,
                                  where);
    }
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    judo_cudnn_graph_add(graph, operation);
}

void judo_cudnn_graph_pointwise(judo_cudnn_graph *graph, cudnnPointwiseMode_t mode,
                                cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                                cudnnBackendDescriptor_t y)
{
    pointwise(graph, pointwise_kind(graph, mode, CUDNN_DATA_FLOAT, -1), x, b, NULL, y);
}

void judo_cudnn_graph_compare(judo_cudnn_graph *graph, cudnnPointwiseMode_t mode,
                              cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                              cudnnBackendDescriptor_t y)
{
    pointwise(graph, pointwise_kind(graph, mode, CUDNN_DATA_BOOLEAN, -1), x, b, NULL, y);
}

void judo_cudnn_graph_index(judo_cudnn_graph *graph, int64_t axis, cudnnBackendDescriptor_t x,
                            cudnnBackendDescriptor_t y)
{
    pointwise(graph, pointwise_kind(graph, CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, axis),
              x, NULL, NULL, y);
}

void judo_cudnn_graph_select(judo_cudnn_graph *graph, cudnnBackendDescriptor_t x,
                             cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t where,
                             cudnnBackendDescriptor_t y)
{
    pointwise(graph, pointwise_kind(graph, CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT, -1),
              x, b, where, y);
}

void judo_cudnn_graph_product(judo_cudnn_graph *graph, cudnnBackendDescriptor_t a,
                              cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t c,
                              judo_cudnn_sizes sizes)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
                         &precision);
    judo_cudnn_graph_finish(graph, kind, "a product's kind");
    cudnnBackendDescriptor_t operation =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    if (sizes.m) {
        judo_cudnn_graph_set_part(graph, operation,
                                  CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, sizes.m);
    }
    if (sizes.n) {
        judo_cudnn_graph_set_part(graph, operation,
                                  CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, sizes.n);
    }
    if (sizes.k) {
        judo_cudnn_graph_set_part(graph, operation,
                                  CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, sizes.k);
    }
    judo_cudnn_graph_add(graph, operation);
}

void judo_cudnn_graph_reduce(judo_cudnn_graph *graph, cudnnReduceTensorOp_t how,
                             cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t kind =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
                         &precision);
    judo_cudnn_graph_set(graph, kind, CUDNN_ATTR_REDUCTION_OPERATOR,
                         CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1, &how);
    judo_cudnn_graph_finish(graph, kind, "a reduction's kind");
    cudnnBackendDescriptor_t operation =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
    judo_cudnn_graph_add(graph, operation);
}

void judo_cudnn_graph_reshape(judo_cudnn_graph *graph, cudnnBackendDescriptor_t x,
                              cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t operation =
        judo_cudnn_graph_make(graph, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
    judo_cudnn_graph_set_part(graph, operation, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
    judo_cudnn_graph_add(graph, operation);
}
