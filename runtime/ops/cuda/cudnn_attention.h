/* runtime/ops/cuda/cudnn_attention.h: cuDNN's attention over a batch of runs, each of which
 * sees itself, wholly or causally. The library is opened at run time: without it every call
 * below says so, and the module works as before. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDNN_ATTENTION_H
#define JUDO_RUNTIME_OPS_CUDA_CUDNN_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JUDO_CUDNN_REASON = 256 };

/* q, out: [batch * length, query_heads, dim], k, v: [batch * length, key_heads, dim], bf16; of
 * packed runs as many tokens as they have. cuDNN 9.19 and 9.26 build plans of all of these for
 * GPUs of capability 8.0 (but not packed and backward) and 9.0. Backward is in the form whose
 * bits are the same each time, which keeps batch * query_heads * length^2 bf16 scores in its
 * workspace. */
typedef struct judo_cudnn_shape {
    int64_t batch, length;
    int query_heads, key_heads, dim;
    bool backward, causal;
    bool packed; /* runs of up to `length` tokens, one after the other */
} judo_cudnn_shape;

/* Device memory. Forward writes out and lse [batch * length, query_heads] (fp32, the natural
 * logarithm of the sum of exp of scaled scores) and reads neither dout nor what follows it.
 * Backward reads out and lse, and writes dq, dk and dv. */
typedef struct judo_cudnn_call {
    const void *q, *k, *v;
    void *out, *lse;
    const void *dout;
    void *dq, *dk, *dv;
    /* Of packed runs, int32: [batch] how long each is, and [batch + 1] where each begins and
     * the last ends in q, in k and in lse, in elements. */
    const int32_t *lengths, *query_offsets, *key_offsets, *lse_offsets;
    void *workspace; /* of the plan's bytes, 256-byte aligned */
    float scale;
} judo_cudnn_call;

typedef struct judo_cudnn_plan judo_cudnn_plan;

/* Opens the library, once, for the current GPU; false with the reason where that fails. */
bool judo_cudnn_open(char reason[JUDO_CUDNN_REASON]);
/* The opened library's version, 10000 major + 100 minor + patch; 0: none is open. */
int64_t judo_cudnn_version(void);
/* A plan for a shape with at most `most` bytes of workspace; NULL with the reason where cuDNN
 * has none. `device_json` NULL: for the current GPU; else cuDNN's description of one that need
 * not be there, for looking at what it supports. */
judo_cudnn_plan *judo_cudnn_plan_create(const judo_cudnn_shape *shape, int64_t most,
                                        const char *device_json,
                                        char reason[JUDO_CUDNN_REASON]);
void judo_cudnn_plan_destroy(judo_cudnn_plan *plan);
int64_t judo_cudnn_plan_bytes(const judo_cudnn_plan *plan);
/* Queues the work on `stream` (a cudaStream_t); false with the reason where cuDNN refuses. */
bool judo_cudnn_plan_run(judo_cudnn_plan *plan, const judo_cudnn_call *call, void *stream,
                         char reason[JUDO_CUDNN_REASON]);

#endif
