/* runtime/ops/cuda/cudnn_library.h: cuDNN's functions, taken from the library at run time, so
 * that the module loads where there is none. The library's own header is included here. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDNN_LIBRARY_H
#define JUDO_RUNTIME_OPS_CUDA_CUDNN_LIBRARY_H

#include <cudnn.h>

#include "runtime/ops/cuda/cudnn_attention.h"

typedef struct judo_cudnn_library {
    cudnnHandle_t handle;
    int64_t version;
    __typeof__(&cudnnCreate) create;
    __typeof__(&cudnnSetStream) set_stream;
    __typeof__(&cudnnGetVersion) get_version;
    __typeof__(&cudnnGetErrorString) error_string;
    __typeof__(&cudnnBackendCreateDescriptor) create_descriptor;
    __typeof__(&cudnnBackendDestroyDescriptor) destroy_descriptor;
    __typeof__(&cudnnBackendSetAttribute) set_attribute;
    __typeof__(&cudnnBackendGetAttribute) get_attribute;
    __typeof__(&cudnnBackendFinalize) finalize;
    __typeof__(&cudnnBackendExecute) execute;
} judo_cudnn_library;

/* Filled by judo_cudnn_load; the handle by judo_cudnn_open. */
extern judo_cudnn_library judo_cudnn;

/* Takes the functions, once; false with the reason where that fails. */
bool judo_cudnn_load(char reason[JUDO_CUDNN_REASON]);

#endif
