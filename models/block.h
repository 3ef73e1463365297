/* models/block.h: the transformer block that the vision tower and the decoder share:
 * x += out(attention(rotary(qkv(norm1 x)))); x += down(silu(gate) * up) of norm2 x. The last
 * sum is left to who reads the block's output: a norm adds it on the way (`residual`).
 * Steps stand alone so that generation runs the same code with cached keys and values. */
#ifndef JUDO_MODELS_BLOCK_H
#define JUDO_MODELS_BLOCK_H

#include "models/activation_arena.h"
#include "runtime/ops/ops.h"
#include "runtime/params.h"

/* What kernels run on and who is told between them. */
typedef struct judo_compute {
    const judo_ops *ops;
    judo_params *params; /* polled between kernels; may be NULL */
} judo_compute;

typedef struct judo_block_shape {
    int64_t hidden, num_heads, num_kv_heads, head_dim, intermediate;
    float epsilon;
} judo_block_shape;

/* A block's weights, or their gradients; data is NULL where there is none. */
typedef struct judo_block_tensors {
    judo_tensor norm1, norm2;
    judo_tensor qkv_weight, qkv_bias; /* rows of q, then k, then v */
    judo_tensor out_weight, out_bias;
    judo_tensor gate_up_weight, gate_up_bias; /* rows of gate, then up */
    judo_tensor down_weight, down_bias;
} judo_block_tensors;

/* Where the rows stand and what they see. */
typedef struct judo_block_geometry {
    judo_tensor cos, sin; /* [T, head_dim/2] fp32 */
    const judo_attention_span *spans;
    int num_spans;
} judo_block_geometry;

/* What a backward pass computes again instead of keeping it. */
typedef enum judo_recompute {
    JUDO_RECOMPUTE_NOTHING,
    JUDO_RECOMPUTE_SELECTIVE, /* norms and activations: much memory, no matrix product */
    JUDO_RECOMPUTE_UNIT,      /* whole blocks, from their inputs */
} judo_recompute;

/* What it computes again, in words. */
const char *judo_recompute_name(judo_recompute recompute);

/* Parts of what a forward pass leaves. */
typedef enum judo_block_parts {
    JUDO_BLOCK_NOTHING = 0,
    JUDO_BLOCK_CHEAP = 1,  /* normed1, normed2, active: soon made from the others */
    JUDO_BLOCK_COSTLY = 2, /* the others */
    JUDO_BLOCK_ALL = 3,
} judo_block_parts;

/* What the forward pass leaves for the backward pass, T rows each. */
typedef struct judo_block_saved {
    judo_tensor normed1, rstd1;
    judo_tensor qkv;           /* [T, (heads + 2 kv heads) head_dim], where gate_up comes */
    judo_tensor q, k, v;       /* [T, heads, head_dim], rotated */
    judo_tensor attended, lse; /* [T, num_heads, head_dim], [T, num_heads] */
    judo_tensor middle;        /* after the attention's residual */
    judo_tensor normed2, rstd2;
    judo_tensor gate_up, active; /* [T, 2 intermediate], [T, intermediate] */
} judo_block_saved;

typedef struct judo_block_scratch {
    judo_tensor normed, attended, q, k, v, active;
} judo_block_scratch;

/* Take the buffers of `rows` rows from the arena; parts not asked for have no rows. */
judo_block_saved judo_block_saved_take(judo_activation_arena *arena,
                                       const judo_block_shape *shape, int64_t rows,
                                       judo_dtype dtype, judo_block_parts parts);
/* The cheap parts of `saved` are those of `cheap` from now on. */
void judo_block_saved_share(judo_block_saved *saved, const judo_block_saved *cheap);
judo_block_scratch judo_block_scratch_take(judo_activation_arena *arena,
                                           const judo_block_shape *shape, int64_t rows,
                                           judo_dtype dtype);

/* What scores are multiplied by, the same bits in every pass. */
float judo_block_attention_scale(const judo_block_shape *shape);
/* x[T,hidden] -> saved->q, k, v (rotated by cos, sin). A `residual` (the block before's
 * saved->middle, or NULL) is added to x first. With `places` token t's key and value go to row
 * places[t] of saved->k and v, which are a cache's then. */
judo_status judo_block_project(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights, const judo_tensor *cos,
                               const judo_tensor *sin, judo_block_saved *saved,
                               const int32_t *places, judo_tensor *x,
                               const judo_tensor *residual) JUDO_MUST_CHECK;
/* saved->attended and x -> y[T,hidden] without saved->middle, which is its residual; y must not
 * be x. With y NULL only `saved` is filled: what a backward pass needs of a recomputed block.
 */
judo_status judo_block_finish(const judo_compute *compute, const judo_block_shape *shape,
                              const judo_block_tensors *weights, judo_block_saved *saved,
                              judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
/* The whole block: project, attention over the spans, finish; y may be NULL likewise. */
judo_status judo_block_forward(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights,
                               const judo_block_geometry *geometry, judo_block_saved *saved,
                               judo_tensor *y, judo_tensor *x,
                               const judo_tensor *residual) JUDO_MUST_CHECK;
/* The cheap parts again, the same bits, from the costly ones and the block's input. */
judo_status judo_block_restore(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights, judo_block_saved *saved,
                               const judo_tensor *x) JUDO_MUST_CHECK;
/* d[T,hidden]: gradient of y with its residual on entry, of x on return. Adds to `gradients`
 * (fp32); uses up `saved`. */
judo_status judo_block_backward(const judo_compute *compute, const judo_block_shape *shape,
                                const judo_block_tensors *weights,
                                const judo_block_tensors *gradients,
                                const judo_block_geometry *geometry, judo_block_saved *saved,
                                judo_block_scratch *scratch, judo_tensor *d,
                                const judo_tensor *x) JUDO_MUST_CHECK;

/* Runs a kernel, then lets communication progress. */
#define JUDO_COMPUTE(compute, call)                                                            \
    do {                                                                                       \
        JUDO_TRY((compute)->ops->call);                                                        \
        judo_compute_poll(compute);                                                            \
    } while (0)
void judo_compute_poll(const judo_compute *compute);

/* NULL for an absent tensor. */
judo_tensor *judo_tensor_or_null(judo_tensor *tensor);

#endif
