/* runtime/ops/cuda/cuda.h: what the files of the CUDA module share. Tensors of its ops are in
 * device memory; lists (indices, spans, targets, ..) are on the host. */
#ifndef JUDO_RUNTIME_OPS_CUDA_CUDA_H
#define JUDO_RUNTIME_OPS_CUDA_CUDA_H

/* C headers first: behind extern "C" below they are there already. */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cuda_bf16.h>
#include <cuda_runtime.h>

extern "C" {
#include "runtime/device_module.h"
#include "runtime/ops/arguments.h"
#include "runtime/ops/ops.h"
}

/* JUDO_ERROR_MEMORY or JUDO_ERROR_INTERNAL with CUDA's words unless `error` is success. */
judo_status judo_cuda_check(cudaError_t error, const char *what) JUDO_MUST_CHECK;

#define JUDO_CUDA_TRY(call) JUDO_TRY(judo_cuda_check((call), #call))

/* The end of a slot: whether its kernels could be queued. */
static inline judo_status judo_cuda_launched(const char *op)
{
    return judo_cuda_check(cudaGetLastError(), op);
}

/* --- the GPU of this process (context.cu) --- */

typedef struct judo_cuda_context {
    int index;
    cudaStream_t stream; /* where ops are queued */
    bool rows_invariant; /* a row's bits do not depend on the number of rows: JUDO_CUDA_ROWS */
} judo_cuda_context;

extern judo_cuda_context judo_cuda;

/* Finds the driver and the GPU; says what is missing. */
judo_status judo_cuda_start(int index, char *description, size_t size) JUDO_MUST_CHECK;

/* Memory of the device and page-locked memory of the host, and how often either was asked for.
 */
judo_status judo_cuda_take(void **memory, int64_t bytes) JUDO_MUST_CHECK;
judo_status judo_cuda_take_pinned(void **memory, int64_t bytes) JUDO_MUST_CHECK;
void judo_cuda_count_allocation(void);
int64_t judo_cuda_allocations(void);

/* Device memory that only grows, one block per user, valid until the next call for it. */
typedef enum judo_cuda_scratch_user {
    JUDO_CUDA_SCRATCH_OP,
    JUDO_CUDA_SCRATCH_PRODUCT,
    JUDO_CUDA_SCRATCH_ATTENTION, /* cuDNN's */
    JUDO_CUDA_SCRATCH_USERS,
} judo_cuda_scratch_user;

judo_status judo_cuda_scratch(void **memory, judo_cuda_scratch_user user,
                              int64_t bytes) JUDO_MUST_CHECK;

/* Rounds up to what parts of scratch are aligned to. */
static inline int64_t judo_cuda_aligned(int64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* Memory of the host that only grows, valid until the next call. */
judo_status judo_cuda_host_scratch(void **memory, int64_t bytes) JUDO_MUST_CHECK;

/* Lists on their way to the device: open with room for all of an op's lists (the sum of
 * judo_cuda_aligned of each), put each, which gives its place on the device, send them. */
judo_status judo_cuda_lists_open(int64_t bytes) JUDO_MUST_CHECK;
const void *judo_cuda_lists_put(const void *host, int64_t bytes);
judo_status judo_cuda_lists_send(void) JUDO_MUST_CHECK;

/* Waits for the queue and copies results to the host. */
judo_status judo_cuda_fetch(void *host, const void *device, int64_t bytes) JUDO_MUST_CHECK;

/* The tables. */
const judo_ops *judo_ops_cuda(void);
const judo_device *judo_device_cuda(const char *description);
/* NCCL (nccl.cu, where the module was built with it). */
const judo_device_collectives *judo_cuda_collectives(void);
/* Memory of the kind that NCCL exchanges best; false: there is none to be had. And its end,
 * false: it is not of that kind. */
bool judo_cuda_nccl_take(void **memory, int64_t bytes);
bool judo_cuda_nccl_give_back(void *memory);
/* Finds cuDNN and says what is used of it (attention_cudnn.cu, where the module was built with
 * it); the bytes that it works in. */
judo_status judo_cuda_attention_open(char *description, size_t size) JUDO_MUST_CHECK;
int64_t judo_cuda_attention_bytes(void);
/* Scoring of completions (rewards/rewards_cuda.cu). */
extern "C" const struct judo_device_rewards *judo_cuda_rewards(void);

/* --- matrix products (matmul.cu) --- */

/* c[m,n] = or += op(a)[m,k] op(b)[k,n] (+ bias[n], or NULL), row-major, dense but a; op(a) is
 * a^T for an a stored as [k,m] when `transpose_a`, and likewise b. Sums are fp32. */
typedef struct judo_cuda_product {
    void *c;
    const void *a, *b;
    const void *bias; /* of c's dtype */
    int64_t m, n, k;
    int64_t a_stride; /* elements from a row of a, as it is stored, to the next; 0: dense */
    judo_dtype dtype, c_dtype;
    bool transpose_a, transpose_b, accumulate;
} judo_cuda_product;

judo_status judo_cuda_matmul(const judo_cuda_product *product) JUDO_MUST_CHECK;

/* --- the slots; ops.h says what they do --- */

judo_status judo_cuda_linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias);
int64_t judo_cuda_linear_packed_bytes(const judo_tensor *w);
judo_status judo_cuda_linear_pack(void *packed, const judo_tensor *w);
judo_status judo_cuda_linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                      judo_tensor *dbias, const judo_tensor *dy,
                                      const judo_tensor *x, const judo_tensor *w);
judo_status judo_cuda_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                      const judo_tensor *w, float epsilon);
judo_status judo_cuda_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                       const judo_tensor *x, const judo_tensor *w,
                                       const judo_tensor *rstd);
judo_status judo_cuda_layernorm_forward(judo_tensor *y, const judo_tensor *x,
                                        const judo_tensor *w, const judo_tensor *bias,
                                        float epsilon);
judo_status judo_cuda_split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                                  const judo_tensor *qkv, const judo_tensor *cos,
                                  const judo_tensor *sin, const int32_t *places);
judo_status judo_cuda_join_heads(judo_tensor *dqkv, const judo_tensor *dq,
                                 const judo_tensor *dk, const judo_tensor *dv,
                                 const judo_tensor *cos, const judo_tensor *sin);
judo_status judo_cuda_attention_forward(judo_tensor *out, judo_tensor *lse,
                                        const judo_tensor *q, const judo_tensor *k,
                                        const judo_tensor *v, const judo_attention_span *spans,
                                        int num_spans, float scale);
judo_status judo_cuda_attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                         const judo_tensor *dout, const judo_tensor *q,
                                         const judo_tensor *k, const judo_tensor *v,
                                         const judo_tensor *out, const judo_tensor *lse,
                                         const judo_attention_span *spans, int num_spans,
                                         float scale);
judo_status judo_cuda_attention_decode(judo_tensor *out, const judo_tensor *q,
                                       const judo_decode_row *rows, int num_kv_heads,
                                       float scale);
judo_status judo_cuda_swiglu_forward(judo_tensor *y, const judo_tensor *gate_up);
judo_status judo_cuda_swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                      const judo_tensor *gate_up);
judo_status judo_cuda_gelu_forward(judo_tensor *y, const judo_tensor *x);
judo_status judo_cuda_gelu_backward(judo_tensor *dx, const judo_tensor *dy,
                                    const judo_tensor *x);
judo_status judo_cuda_add(judo_tensor *y, const judo_tensor *x);
judo_status judo_cuda_convert(judo_tensor *y, const judo_tensor *x);
judo_status judo_cuda_gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                  int64_t count);
judo_status judo_cuda_scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                   int64_t count);
judo_status judo_cuda_scatter_add_rows(judo_tensor *y, const judo_tensor *x,
                                       const int32_t *index, int64_t count);
judo_status judo_cuda_head_loss(judo_token_result *result, judo_tensor *dhidden,
                                judo_tensor *dw, const judo_tensor *hidden,
                                const judo_tensor *w, const int32_t *targets,
                                const judo_token_loss *spec, const uint8_t *banned,
                                int64_t chunk_rows);
judo_status judo_cuda_sample(const judo_draw_memory *memory, judo_tensor *logits,
                             const judo_draw_row *rows, const judo_sampling *sampling,
                             float logprob_temperature);
judo_status judo_cuda_gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                        const judo_draw *draws, int64_t num_draws,
                                        const int32_t *places, int64_t count);
judo_status judo_cuda_adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                            int num_segments, const judo_adamw *options);
judo_status judo_cuda_sum_of_squares(double *sum, const judo_tensor *x);
judo_status judo_cuda_add_rounded(judo_tensor *y, const judo_tensor *x);
judo_status judo_cuda_add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                          const judo_tensor *x, const judo_tensor *w,
                                          float epsilon);
judo_status judo_cuda_patchify(judo_tensor *y, const judo_tensor *pixels,
                               const judo_patch_square *squares, int64_t count,
                               const judo_patch_form *form);

#endif
