/* runtime/ops/cuda/cudnn_graph.h: a graph of cuDNN's operations and the plan that does it.
 * After a failure the rest of a graph is walked through and nothing is done: what failed first
 * is kept, and judo_cudnn_graph_plan says it. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDNN_GRAPH_H
#define JUDO_RUNTIME_OPS_CUDA_CUDNN_GRAPH_H

#include "runtime/ops/cuda/cudnn_library.h"

enum { JUDO_CUDNN_DESCRIPTORS = 256, JUDO_CUDNN_OPERATIONS = 32 };

typedef struct judo_cudnn_graph {
    cudnnBackendDescriptor_t owned[JUDO_CUDNN_DESCRIPTORS]; /* in the order they were made */
    cudnnBackendDescriptor_t operations[JUDO_CUDNN_OPERATIONS];
    cudnnBackendDescriptor_t graph, device;
    cudnnBackendDescriptor_t plan; /* NULL: none yet */
    int num_owned, num_operations;
    int64_t num_between;
    int64_t bytes;      /* the plan's workspace */
    const char *failed; /* the first call that failed, and how; NULL: none */
    cudnnStatus_t status;
} judo_cudnn_graph;

/* What a tensor is: [batch, heads, rows, columns] and its strides in elements. */
typedef struct judo_cudnn_layout {
    int64_t dims[4], strides[4];
    cudnnDataType_t dtype;
    bool by_value; /* one number, given by the host */
    /* Where each batch begins and the last ends, instead of strides[0]; or NULL. */
    cudnnBackendDescriptor_t offsets;
} judo_cudnn_layout;

enum { JUDO_CUDNN_BETWEEN = 100 };

/* A tensor of the caller's, whose memory is bound to `id`, below JUDO_CUDNN_BETWEEN. */
cudnnBackendDescriptor_t judo_cudnn_graph_tensor(judo_cudnn_graph *graph, int64_t id,
                                                 const judo_cudnn_layout *layout);
/* One between operations, which no memory holds. */
cudnnBackendDescriptor_t judo_cudnn_graph_between(judo_cudnn_graph *graph,
                                                  const judo_cudnn_layout *layout);

cudnnBackendDescriptor_t judo_cudnn_graph_make(judo_cudnn_graph *graph,
                                               cudnnBackendDescriptorType_t type);
void judo_cudnn_graph_set_part(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                               cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part);
/* Finishes an operation whose parts are set, and makes it the graph's next. */
void judo_cudnn_graph_add(judo_cudnn_graph *graph, cudnnBackendDescriptor_t operation);

/* y = mode(x, b) in fp32; b NULL: of x alone. */
void judo_cudnn_graph_pointwise(judo_cudnn_graph *graph, cudnnPointwiseMode_t mode,
                                cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                                cudnnBackendDescriptor_t y);
/* y = mode(x, b), which is true or false. */
void judo_cudnn_graph_compare(judo_cudnn_graph *graph, cudnnPointwiseMode_t mode,
                              cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                              cudnnBackendDescriptor_t y);
/* y = where each element of x stands along an axis. */
void judo_cudnn_graph_index(judo_cudnn_graph *graph, int64_t axis, cudnnBackendDescriptor_t x,
                            cudnnBackendDescriptor_t y);
/* y = x where `where`, else b. */
void judo_cudnn_graph_select(judo_cudnn_graph *graph, cudnnBackendDescriptor_t x,
                             cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t where,
                             cudnnBackendDescriptor_t y);

/* The true sizes of each batch's product, [batch] int32; NULL where they are the tensors'. */
typedef struct judo_cudnn_sizes {
    cudnnBackendDescriptor_t m, n, k;
} judo_cudnn_sizes;

/* c = a b of the last two dimensions. */

void judo_cudnn_graph_product(judo_cudnn_graph *graph, cudnnBackendDescriptor_t a,
                              cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t c,
                              judo_cudnn_sizes sizes);
/* y = x with the dimensions that y has not, joined. */
void judo_cudnn_graph_reduce(judo_cudnn_graph *graph, cudnnReduceTensorOp_t how,
                             cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y);
/* y = x by y's dimensions and strides. */
void judo_cudnn_graph_reshape(judo_cudnn_graph *graph, cudnnBackendDescriptor_t x,
                              cudnnBackendDescriptor_t y);

/* The first plan of the heuristics that can be built, is deterministic by its engine's own
 * word, and needs at most `most` bytes of workspace. `device_json` as in
 * judo_cudnn_plan_create; false with the reason where there is none. */
bool judo_cudnn_graph_plan(judo_cudnn_graph *graph, int64_t most, const char *device_json,
                           char reason[JUDO_CUDNN_REASON]);
/* Gives back every descriptor. */
void judo_cudnn_graph_clear(judo_cudnn_graph *graph);

#endif
