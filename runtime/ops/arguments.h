/* runtime/ops/arguments.h: checks of what the slots of the table are called with, the same for
 * every backend. They look at views and at lists on the host, never at a tensor's elements. */
#ifndef JUDO_RUNTIME_OPS_ARGUMENTS_H
#define JUDO_RUNTIME_OPS_ARGUMENTS_H

#include "runtime/ops/ops.h"

/* JUDO_ERROR_UNSUPPORTED unless the tensor has this dtype, JUDO_ERROR_INTERNAL unless it has
 * this shape and, where it has elements, memory. `op` and `argument` name the place. */
judo_status judo_expect_1d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a) JUDO_MUST_CHECK;
judo_status judo_expect_2d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a, int64_t b) JUDO_MUST_CHECK;
judo_status judo_expect_3d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a, int64_t b, int64_t c) JUDO_MUST_CHECK;
/* Dtype and shape of `like`. */
judo_status judo_expect_like(const char *op, const char *argument, const judo_tensor *tensor,
                             const judo_tensor *like) JUDO_MUST_CHECK;
/* F32 or BF16, with any shape of `num_dims` dimensions (0: at least one). */
judo_status judo_expect_dims(const char *op, const char *argument, const judo_tensor *tensor,
                             int num_dims) JUDO_MUST_CHECK;

/* Elements of a row: the product of all dimensions but the first. */
int64_t judo_row_width(const judo_tensor *tensor);
/* gather_rows and its kin: `listed` has one row per index, `indexed`, of `dtype`, is what the
 * indices point into. */
judo_status judo_rows_check(const char *op, const judo_tensor *listed,
                            const judo_tensor *indexed, judo_dtype dtype, const int32_t *index,
                            int64_t count) JUDO_MUST_CHECK;
judo_status judo_head_loss_check(const judo_tensor *dhidden, const judo_tensor *dw,
                                 const judo_tensor *hidden, const judo_tensor *w,
                                 const int32_t *targets, const judo_token_loss *spec,
                                 int64_t chunk_rows) JUDO_MUST_CHECK;
judo_status judo_sample_check(const judo_draw_memory *memory, const judo_tensor *logits,
                              const judo_draw_row *rows, const judo_sampling *sampling,
                              float logprob_temperature) JUDO_MUST_CHECK;
judo_status judo_drawn_rows_check(const judo_tensor *y, const judo_tensor *x, int64_t num_draws,
                                  const int32_t *places, int64_t count) JUDO_MUST_CHECK;
judo_status judo_adamw_check(const judo_adamw_arrays *arrays,
                             const judo_adamw_segment *segments, int num_segments,
                             const judo_adamw *options) JUDO_MUST_CHECK;

/* --- layers (layer_arguments.c): one check per slot, in the order of its arguments --- */

judo_status judo_linear_check_forward(const judo_tensor *y, const judo_tensor *x,
                                      const judo_tensor *w,
                                      const judo_tensor *bias) JUDO_MUST_CHECK;
judo_status judo_linear_check_backward(const judo_tensor *dx, const judo_tensor *dw,
                                       const judo_tensor *dbias, const judo_tensor *dy,
                                       const judo_tensor *x,
                                       const judo_tensor *w) JUDO_MUST_CHECK;
judo_status judo_rmsnorm_check_forward(const judo_tensor *y, const judo_tensor *rstd,
                                       const judo_tensor *x,
                                       const judo_tensor *w) JUDO_MUST_CHECK;
judo_status judo_rmsnorm_check_backward(const judo_tensor *dx, const judo_tensor *dw,
                                        const judo_tensor *dy, const judo_tensor *x,
                                        const judo_tensor *w,
                                        const judo_tensor *rstd) JUDO_MUST_CHECK;
judo_status judo_layernorm_check_forward(const judo_tensor *y, const judo_tensor *x,
                                         const judo_tensor *w,
                                         const judo_tensor *bias) JUDO_MUST_CHECK;
judo_status judo_swiglu_check_forward(const judo_tensor *y,
                                      const judo_tensor *gate_up) JUDO_MUST_CHECK;
judo_status judo_swiglu_check_backward(const judo_tensor *dgate_up, const judo_tensor *dy,
                                       const judo_tensor *gate_up) JUDO_MUST_CHECK;
judo_status judo_gelu_check_forward(const judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
judo_status judo_gelu_check_backward(const judo_tensor *dx, const judo_tensor *dy,
                                     const judo_tensor *x) JUDO_MUST_CHECK;
judo_status judo_add_check(const judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
judo_status judo_add_rounded_check(const judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
judo_status judo_convert_check(const judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
judo_status judo_patchify_check(const judo_tensor *y, const judo_tensor *pixels,
                                const judo_patch_square *squares, int64_t count,
                                const judo_patch_form *form) JUDO_MUST_CHECK;

/* --- attention (attention_arguments.c) --- */

/* What split_heads and join_heads work on. */
typedef struct judo_heads_shape {
    int64_t tokens, query_heads, key_heads, dim;
    judo_dtype dtype;
} judo_heads_shape;

/* Check the views and, where there are any, the places; fill `shape`. */
judo_status judo_heads_check_split(judo_heads_shape *shape, const judo_tensor *q,
                                   const judo_tensor *k, const judo_tensor *v,
                                   const judo_tensor *qkv, const judo_tensor *cos,
                                   const judo_tensor *sin,
                                   const int32_t *places) JUDO_MUST_CHECK;
judo_status judo_heads_check_join(judo_heads_shape *shape, const judo_tensor *dqkv,
                                  const judo_tensor *dq, const judo_tensor *dk,
                                  const judo_tensor *dv, const judo_tensor *cos,
                                  const judo_tensor *sin) JUDO_MUST_CHECK;

enum { JUDO_ATTENTION_GROUP = 64 }; /* most query heads of a key head */

/* What one call over a whole batch works on. */
typedef struct judo_attention_shape {
    int64_t tokens;
    int query_heads, key_heads, group, dim;
} judo_attention_shape;

/* Checks shapes and spans of q, k, v; fills `shape`. Every token must lie in one span. */
judo_status judo_attention_check(judo_attention_shape *shape, const char *op,
                                 const judo_tensor *q, const judo_tensor *k,
                                 const judo_tensor *v, const judo_attention_span *spans,
                                 int num_spans) JUDO_MUST_CHECK;
judo_status judo_attention_check_outputs(const judo_attention_shape *shape,
                                         const judo_tensor *out, const judo_tensor *lse,
                                         const judo_tensor *q) JUDO_MUST_CHECK;
judo_status judo_attention_check_gradients(const judo_attention_shape *shape,
                                           const judo_tensor *dq, const judo_tensor *dk,
                                           const judo_tensor *dv, const judo_tensor *dout,
                                           const judo_tensor *q, const judo_tensor *k,
                                           const judo_tensor *out,
                                           const judo_tensor *lse) JUDO_MUST_CHECK;
judo_status judo_attention_check_rows(const judo_tensor *out, const judo_tensor *q,
                                      const judo_decode_row *rows,
                                      int num_kv_heads) JUDO_MUST_CHECK;

#endif
