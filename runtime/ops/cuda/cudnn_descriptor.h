/* runtime/ops/cuda/cudnn_descriptor.h: the descriptors that a graph (cudnn_graph.h) owns. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDNN_DESCRIPTOR_H
#define JUDO_RUNTIME_OPS_CUDA_CUDNN_DESCRIPTOR_H

#include "runtime/ops/cuda/cudnn_graph.h"

/* Keeps the first failure. `what` is a constant. */
void judo_cudnn_graph_note(judo_cudnn_graph *graph, cudnnStatus_t status, const char *what);
void judo_cudnn_graph_set(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                          cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                          int64_t count, const void *values);
void judo_cudnn_graph_finish(judo_cudnn_graph *graph, cudnnBackendDescriptor_t descriptor,
                             const char *what);

#endif
