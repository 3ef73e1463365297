/* runtime/ops/cpu.h: what the files of the CPU backend share. Only runtime/ops and its tests
 * include it. One compute thread of a process calls ops; the ops spread over OpenMP threads. */
#ifndef JUDO_RUNTIME_OPS_CPU_H
#define JUDO_RUNTIME_OPS_CPU_H

#include "runtime/ops/arguments.h"
#include "runtime/ops/ops.h"

/* --- resources (cpu.c) --- */

/* Element `index` of an array, to read and to write. */
static inline const void *judo_cpu_at(const void *data, judo_dtype dtype, int64_t index)
{
    return (const char *)data + index * (dtype == JUDO_BF16 ? 2 : 4);
}

static inline void *judo_cpu_to(void *data, judo_dtype dtype, int64_t index)
{
    return (char *)data + index * (dtype == JUDO_BF16 ? 2 : 4);
}

/* Threads for a loop over `work` elements: 1 when it is too short to be worth waking others. */
int judo_cpu_threads_for(int64_t work);

/* Scratch memory of at least `bytes`, 64-byte aligned, uninitialised, valid until the next
 * call for the same user. One buffer per user and process that only grows. */
typedef enum judo_cpu_scratch_user {
    JUDO_SCRATCH_OP,      /* a slot of the table */
    JUDO_SCRATCH_PRODUCT, /* judo_cpu_matmul, also when a slot calls it */
    JUDO_SCRATCH_USERS,
} judo_cpu_scratch_user;

judo_status judo_cpu_scratch(void **memory, judo_cpu_scratch_user user,
                             int64_t bytes) JUDO_MUST_CHECK;

/* --- matrix products (product_cpu.c, matmul_cpu.c, small_gemm_cpu.c) --- */

/* c[m,n] = or += op(a)[m,k] op(b)[k,n] (+ bias[n], or NULL), dense row-major; op(a) is a^T for
 * an a stored as [k,m] when `transpose_a`, and likewise b. Sums are fp32. */
typedef struct judo_cpu_product {
    void *c;
    const void *a, *b, *bias;
    int64_t m, n, k;
    judo_dtype dtype;   /* of a, b and bias: F32 or BF16 */
    judo_dtype c_dtype; /* F32, or that of a and b */
    bool transpose_a, transpose_b, accumulate;
} judo_cpu_product;

/* Any sizes, any machine. A row of c does not depend on m. */
judo_status judo_cpu_matmul(const judo_cpu_product *product) JUDO_MUST_CHECK;
/* One call of oneDNN, all sizes above 0; BF16 only where judo_cpu_multiplies_bf16. */
judo_status judo_cpu_multiply(const judo_cpu_product *product) JUDO_MUST_CHECK;
/* The same with b^T's packed copy beside b, and with the bits of judo_cpu_multiply; `done` says
 * whether the product is one of those that can be had so (packed_product_cpu.c). */
judo_status judo_cpu_packed_product(const judo_cpu_product *product, const void *packed,
                                    bool *done) JUDO_MUST_CHECK;
/* Whether oneDNN has a fast product of bf16 matrices on this machine (DNNL_MAX_CPU_ISA can
 * take it away). */
bool judo_cpu_multiplies_bf16(void);

/* c[m,n] = or += a[m,k] b[k,n] on one thread, for operands in the first caches: element (i,p)
 * of a is a[i * a_row + p * a_column], rows of c and b are ldc and ldb apart. Every element is
 * one chain of fused multiply-adds with p ascending, whatever m and n are. For BF16 the
 * elements of a and b are words of two terms (judo_vector_pairs), of which there are 2 k. */
void judo_cpu_small_gemm(float *c, int64_t ldc, const float *a, int64_t a_row, int64_t a_column,
                         const float *b, int64_t ldb, int m, int n, int k, bool accumulate,
                         judo_dtype dtype);

/* --- softmax of a row of logits (softmax_cpu.c): head_loss and sample share the bits --- */

typedef struct judo_cpu_softmax {
    float max;       /* highest logit / temperature over ids that are not banned */
    double sum;      /* sum of exp(logit / temperature - max) */
    double weighted; /* sum of exp(d) d with d = logit / temperature - max */
} judo_cpu_softmax;

/* Statistics of one row; where `exponentials` is not NULL (it may be `logits`) it receives
 * exp(logit / temperature - max) per id, 0 for a banned one. */
judo_cpu_softmax judo_cpu_softmax_row(const float *logits, float *exponentials, int64_t count,
                                      float temperature, const uint8_t *banned);
/* Log-probability of an id whose logit is `logit`. */
float judo_cpu_softmax_logprob(const judo_cpu_softmax *softmax, float logit, float temperature);

/* --- the slots of the table; ops.h says what they do --- */

judo_status judo_cpu_linear_forward(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *bias);
int64_t judo_cpu_linear_packed_bytes(const judo_tensor *w);
judo_status judo_cpu_linear_pack(void *packed, const judo_tensor *w);
judo_status judo_cpu_linear_backward(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                     judo_tensor *dbias, const judo_tensor *dy,
                                     const judo_tensor *x, const judo_tensor *w);
judo_status judo_cpu_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                     const judo_tensor *w, float epsilon);
judo_status judo_cpu_rmsnorm_backward(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                      const judo_tensor *x, const judo_tensor *w,
                                      const judo_tensor *rstd);
judo_status judo_cpu_layernorm_forward(judo_tensor *y, const judo_tensor *x,
                                       const judo_tensor *w, const judo_tensor *bias,
                                       float epsilon);
judo_status judo_cpu_split_heads(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                                 const judo_tensor *qkv, const judo_tensor *cos,
                                 const judo_tensor *sin, const int32_t *places);
judo_status judo_cpu_join_heads(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                                const judo_tensor *dv, const judo_tensor *cos,
                                const judo_tensor *sin);
judo_status judo_cpu_attention_forward(judo_tensor *out, judo_tensor *lse, const judo_tensor *q,
                                       const judo_tensor *k, const judo_tensor *v,
                                       const judo_attention_span *spans, int num_spans,
                                       float scale);
judo_status judo_cpu_attention_backward(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                        const judo_tensor *dout, const judo_tensor *q,
                                        const judo_tensor *k, const judo_tensor *v,
                                        const judo_tensor *out, const judo_tensor *lse,
                                        const judo_attention_span *spans, int num_spans,
                                        float scale);
judo_status judo_cpu_attention_decode(judo_tensor *out, const judo_tensor *q,
                                      const judo_decode_row *rows, int num_kv_heads,
                                      float scale);
judo_status judo_cpu_swiglu_forward(judo_tensor *y, const judo_tensor *gate_up);
judo_status judo_cpu_swiglu_backward(judo_tensor *dgate_up, const judo_tensor *dy,
                                     const judo_tensor *gate_up);
judo_status judo_cpu_gelu_forward(judo_tensor *y, const judo_tensor *x);
judo_status judo_cpu_gelu_backward(judo_tensor *dx, const judo_tensor *dy,
                                   const judo_tensor *x);
judo_status judo_cpu_add(judo_tensor *y, const judo_tensor *x);
judo_status judo_cpu_convert(judo_tensor *y, const judo_tensor *x);
judo_status judo_cpu_gather_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                 int64_t count);
judo_status judo_cpu_scatter_rows(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                  int64_t count);
judo_status judo_cpu_scatter_add_rows(judo_tensor *y, const judo_tensor *x,
                                      const int32_t *index, int64_t count);
judo_status judo_cpu_head_loss(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                               const judo_tensor *hidden, const judo_tensor *w,
                               const int32_t *targets, const judo_token_loss *spec,
                               const uint8_t *banned, int64_t chunk_rows);
judo_status judo_cpu_sample(const judo_draw_memory *memory, judo_tensor *logits,
                            const judo_draw_row *rows, const judo_sampling *sampling,
                            float logprob_temperature);
judo_status judo_cpu_gather_drawn_rows(judo_tensor *y, const judo_tensor *x,
                                       const judo_draw *draws, int64_t num_draws,
                                       const int32_t *places, int64_t count);
judo_status judo_cpu_adamw(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                           int num_segments, const judo_adamw *options);
judo_status judo_cpu_sum_of_squares(double *sum, const judo_tensor *x);
judo_status judo_cpu_add_rounded(judo_tensor *y, const judo_tensor *x);
judo_status judo_cpu_add_rmsnorm_forward(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                         const judo_tensor *x, const judo_tensor *w,
                                         float epsilon);
judo_status judo_cpu_patchify(judo_tensor *y, const judo_tensor *pixels,
                              const judo_patch_square *squares, int64_t count,
                              const judo_patch_form *form);

#endif
