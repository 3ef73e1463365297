/* runtime/ops/cuda/attention_cudnn.cuh: a call of an attention slot by cuDNN, and the lesson
 * that says whether it may be. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_CUDNN_CUH
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_CUDNN_CUH

#include "runtime/ops/cuda/attention.cuh"

extern "C" {
#include "runtime/ops/cuda/attention_choice.h"
}

/* Queues the call; false with the reason where cuDNN or its memory fails. */
bool judo_cuda_attention_by_cudnn(const attention_call *call, const judo_cudnn_shape *shape,
                                  judo_cudnn_plan *plan, char reason[JUDO_CUDNN_REASON]);

/* Does the call of a shape of unknown choice both ways and settles the choice; the plan's
 * workspace and two results have to fit into `most` bytes. */
judo_status judo_cuda_attention_learn(judo_attention_choice *choice, attention_call *call,
                                      int64_t most, bool timed) JUDO_MUST_CHECK;

#endif
