/* runtime/ops/ops.h: the table of the math that models and optimizers need, filled once per
 * backend (ops_cpu.c, ops_cuda.c). Arguments are views: outputs first, then inputs. Shapes
 * stand in brackets.
 * "+=": adds to the output; "=": overwrites it. Any row count may be 0. Activations and weights
 * of a call, biases included, share one floating dtype, F32 or BF16; what is marked fp32 and
 * gradients of weights (dw, dbias) are F32. BF16 is computed in fp32 and rounded to nearest
 * even when stored. Functions are deterministic. On the CPU a row's bits do not depend on how
 * many other rows there are; on CUDA those of matrix products may, by rounding, unless the
 * environment says JUDO_CUDA_ROWS=invariant. Not collective. */
#ifndef JUDO_RUNTIME_OPS_OPS_H
#define JUDO_RUNTIME_OPS_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/ops/adamw.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/sampling.h"
#include "runtime/ops/patchify.h"
#include "runtime/ops/token_loss.h"
#include "runtime/tensor.h"

typedef struct judo_ops {
    const char *name; /* "cpu" or "cuda" */

    /* y[M,N] = x[M,K] w[N,K]^T (+ bias[N]); bias may be NULL. y may be F32 where x and w are
     * BF16: logits for `sample`. */
    judo_status (*linear_forward)(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                  const judo_tensor *bias);
    /* A second copy of a matrix that many products of few rows use, in the order that this
     * backend reads fastest: its bytes (0: this backend wants none of w), and writing it. A w
     * whose `packed` points to it gives the same bits of y, faster. */
    int64_t (*linear_packed_bytes)(const judo_tensor *w);
    judo_status (*linear_pack)(void *packed, const judo_tensor *w);
    /* dx[M,K] = or += dy[M,N] w[N,K] ; dw[N,K] += dy^T x ; dbias[N] += column sums of dy. Each
     * output may be NULL; w may be NULL without dx, x without dw. */
    judo_status (*linear_backward)(judo_tensor *dx, bool accumulate_dx, judo_tensor *dw,
                                   judo_tensor *dbias, const judo_tensor *dy,
                                   const judo_tensor *x, const judo_tensor *w);

    /* y[M,N] = x / sqrt(mean(x^2) + epsilon) * w[N]; rstd[M] (fp32) is kept for backward, may
     * be NULL. */
    judo_status (*rmsnorm_forward)(judo_tensor *y, judo_tensor *rstd, const judo_tensor *x,
                                   const judo_tensor *w, float epsilon);
    /* dx[M,N] += ; dw[N] += (dw may be NULL). */
    judo_status (*rmsnorm_backward)(judo_tensor *dx, judo_tensor *dw, const judo_tensor *dy,
                                    const judo_tensor *x, const judo_tensor *w,
                                    const judo_tensor *rstd);
    /* y[M,N] = (x - mean) / sqrt(var + epsilon) * w[N] + bias[N]. y may be x. */
    judo_status (*layernorm_forward)(judo_tensor *y, const judo_tensor *x, const judo_tensor *w,
                                     const judo_tensor *bias, float epsilon);

    /* Takes apart the heads of qkv[T,(Hq+2Hkv)D], each row q, then k, then v: q[T,Hq,D] and
     * k[T,Hkv,D] with pair (j, j + D/2) of each head rotated by the angle whose cosine and sine
     * are cos[T,D/2], sin[T,D/2] (fp32), and v[T,Hkv,D] as it is. With `places` (T numbers, no
     * two the same; NULL: none) k and v may have any number of rows, as a cache has, and those
     * of token t go to row places[t]. */
    judo_status (*split_heads)(judo_tensor *q, judo_tensor *k, judo_tensor *v,
                               const judo_tensor *qkv, const judo_tensor *cos,
                               const judo_tensor *sin, const int32_t *places);
    /* dqkv = the gradient of qkv: dq, dk (rotated back) and dv side by side. */
    judo_status (*join_heads)(judo_tensor *dqkv, const judo_tensor *dq, const judo_tensor *dk,
                              const judo_tensor *dv, const judo_tensor *cos,
                              const judo_tensor *sin);

    /* out[T,Hq,D], lse[T,Hq] (fp32 log-sum-exp of the scaled scores) from q[T,Hq,D],
     * k[T,Hkv,D], v[T,Hkv,D]; query head h uses key head h / (Hq/Hkv). Tokens outside every
     * span are an error. q, k, v, out are contiguous. */
    judo_status (*attention_forward)(judo_tensor *out, judo_tensor *lse, const judo_tensor *q,
                                     const judo_tensor *k, const judo_tensor *v,
                                     const judo_attention_span *spans, int num_spans,
                                     float scale);
    /* dq, dk, dv = (overwritten; all contiguous like q, k, v). */
    judo_status (*attention_backward)(judo_tensor *dq, judo_tensor *dk, judo_tensor *dv,
                                      const judo_tensor *dout, const judo_tensor *q,
                                      const judo_tensor *k, const judo_tensor *v,
                                      const judo_tensor *out, const judo_tensor *lse,
                                      const judo_attention_span *spans, int num_spans,
                                      float scale);
    /* out[B,Hq,D] from q[B,Hq,D]: row b attends to rows[b], with bits that do not depend on the
     * other rows. On the CPU, on CUDA in fp32 and in the mode above in the arithmetic order of
     * attention_forward: the bits of that query in a training pass; else equal to rounding. */
    judo_status (*attention_decode)(judo_tensor *out, const judo_tensor *q,
                                    const judo_decode_row *rows, int num_kv_heads, float scale);

    /* y[M,N] = silu(gate) * up, where a row of gate_up[M,2N] is gate, then up. */
    judo_status (*swiglu_forward)(judo_tensor *y, const judo_tensor *gate_up);
    /* dgate_up = ; may be gate_up. */
    judo_status (*swiglu_backward)(judo_tensor *dgate_up, const judo_tensor *dy,
                                   const judo_tensor *gate_up);
    /* Exact GELU (erf). y may be x; dx = , may be dy. */
    judo_status (*gelu_forward)(judo_tensor *y, const judo_tensor *x);
    judo_status (*gelu_backward)(judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x);

    /* y += x, any equal shapes. */
    judo_status (*add)(judo_tensor *y, const judo_tensor *x);
    /* y = x in the dtype of y, F32 or BF16 each; equal shapes, no overlap. */
    judo_status (*convert)(judo_tensor *y, const judo_tensor *x);
    /* y[i] = x[index[i]]; y[index[i]] = x[i]; y[index[i]] += x[i] (index may repeat; fixed
     * order). Rows of N elements; `count` indices, each checked against the rows of the indexed
     * tensor. gather_rows is the embedding lookup and scatter_add_rows its gradient (y fp32).
     */
    judo_status (*gather_rows)(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                               int64_t count);
    judo_status (*scatter_rows)(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                int64_t count);
    judo_status (*scatter_add_rows)(judo_tensor *y, const judo_tensor *x, const int32_t *index,
                                    int64_t count);

    /* Head and loss, fused in chunks of `chunk_rows` rows: logits[M,V] never exist. hidden[M,H]
     * (normed), w[V,H], targets[M] token ids, `spec` per-target arrays of M. Fills `result`
     * (sums are added to what it holds). With dhidden not NULL: dhidden[M,H] = and, unless dw
     * is NULL, dw[V,H] +=. Logits are fp32, their gradients have the dtype of w. `banned` (V
     * bytes, or NULL) marks ids whose logits count as minus infinity. */
    judo_status (*head_loss)(judo_token_result *result, judo_tensor *dhidden, judo_tensor *dw,
                             const judo_tensor *hidden, const judo_tensor *w,
                             const int32_t *targets, const judo_token_loss *spec,
                             const uint8_t *banned, int64_t chunk_rows);

    /* Draws a token from each row of logits[B,V] (fp32, destroyed) into
     * memory->draws[rows[b].place] and marks it in the row's marks. Its log-probability is
     * under softmax(logits / logprob_temperature), before any filter but after what is banned.
     * Nothing returns to the host: a row that cannot be drawn from gets JUDO_NO_TOKEN. */
    judo_status (*sample)(const judo_draw_memory *memory, judo_tensor *logits,
                          const judo_draw_row *rows, const judo_sampling *sampling,
                          float logprob_temperature);
    /* y[i] = x[draws[places[i]].token], zeros where that is no row of x: the embedding lookup
     * of tokens that only the device knows. draws[num_draws] is in its memory, `count` places
     * are on the host and checked. */
    judo_status (*gather_drawn_rows)(judo_tensor *y, const judo_tensor *x,
                                     const judo_draw *draws, int64_t num_draws,
                                     const int32_t *places, int64_t count);

    /* One AdamW update in place of the elements that lie in `segments`, which are in order and
     * do not overlap; what lies between them stays as it is. */
    judo_status (*adamw)(const judo_adamw_arrays *arrays, const judo_adamw_segment *segments,
                         int num_segments, const judo_adamw *options);
    /* Sum of squares of F32 or BF16, any shape, in fp64; in an order of its own for each count.
     */
    judo_status (*sum_of_squares)(double *sum, const judo_tensor *x);
    /* y += x in fp32, rounded to nearest even once, for a sum that is kept in bf16: y BF16, x
     * F32, any equal shapes. */
    judo_status (*add_rounded)(judo_tensor *y, const judo_tensor *x);

    /* sum[M,N] += x, then y and rstd as rmsnorm_forward of it: the bits of `add` and
     * `rmsnorm_forward`, in one look at the rows. */
    judo_status (*add_rmsnorm_forward)(judo_tensor *y, judo_tensor *rstd, judo_tensor *sum,
                                       const judo_tensor *x, const judo_tensor *w,
                                       float epsilon);
    /* y[N merge^2, 3 frames side^2] = the patches of N squares of `pixels` (U8, [bytes], RGB
     * pictures): a square's patches by rows, a patch by (channel, frame, row, column), every
     * frame the same picture: the order of Qwen2-VL's processor. `squares` is checked against
     * the pixels. */
    judo_status (*patchify)(judo_tensor *y, const judo_tensor *pixels,
                            const judo_patch_square *squares, int64_t count,
                            const judo_patch_form *form);
} judo_ops;

/* The CPU backend. `threads` > 0 sets the number of worker threads of this process. */
const judo_ops *judo_ops_cpu(void);
void judo_ops_cpu_set_threads(int threads);
int judo_ops_cpu_threads(void);

/* JUDO_ERROR_UNSUPPORTED naming the first empty slot of a table. */
judo_status judo_ops_check(const judo_ops *ops) JUDO_MUST_CHECK;

#endif
