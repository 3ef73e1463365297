/* models/block.c: forward and backward of one transformer block. */
#include "models/block.h"

#include <math.h>

const char *judo_recompute_name(judo_recompute recompute)
{
    static const char *const names[] = {"nothing", "norms and activations", "whole blocks"};
    return names[recompute];
}

void judo_compute_poll(const judo_compute *compute)
{
    if (compute->params) {
        compute->params->ops->poll(compute->params);
    }
}

judo_tensor *judo_tensor_or_null(judo_tensor *tensor)
{
    return tensor->data ? tensor : NULL;
}

static const judo_tensor *const_or_null(const judo_tensor *tensor)
{
    return tensor->data ? tensor : NULL;
}

judo_block_saved judo_block_saved_take(judo_activation_arena *arena,
                                       const judo_block_shape *shape, int64_t rows,
                                       judo_dtype dtype, judo_block_parts parts)
{
    int64_t heads = shape->num_heads;
    int64_t kv_heads = shape->num_kv_heads;
    int64_t qkv = (heads + 2 * kv_heads) * shape->head_dim;
    int64_t gate_up = 2 * shape->intermediate;
    int64_t cheap = parts & JUDO_BLOCK_CHEAP ? rows : 0;
    int64_t costly = parts & JUDO_BLOCK_COSTLY ? rows : 0;
    judo_block_saved saved = {
        .normed1 = judo_arena_take_2d(arena, dtype, cheap, shape->hidden),
        .rstd1 = judo_arena_take_1d(arena, JUDO_F32, costly),
        .q = judo_arena_take_3d(arena, dtype, costly, heads, shape->head_dim),
        .k = judo_arena_take_3d(arena, dtype, costly, kv_heads, shape->head_dim),
        .v = judo_arena_take_3d(arena, dtype, costly, kv_heads, shape->head_dim),
        .attended = judo_arena_take_3d(arena, dtype, costly, heads, shape->head_dim),
        .lse = judo_arena_take_2d(arena, JUDO_F32, costly, heads),
        .middle = judo_arena_take_2d(arena, dtype, costly, shape->hidden),
        .normed2 = judo_arena_take_2d(arena, dtype, cheap, shape->hidden),
        .rstd2 = judo_arena_take_1d(arena, JUDO_F32, costly),
        .active = judo_arena_take_2d(arena, dtype, cheap, shape->intermediate),
    };
    /* The heads' rows are not wanted any more when gate and up come, nor gate and up when the
     * gradient of the heads' rows comes. */
    void *both = judo_arena_take_2d(arena, dtype, costly, qkv > gate_up ? qkv : gate_up).data;
    saved.qkv = judo_tensor_2d(both, dtype, costly, qkv);
    saved.gate_up = judo_tensor_2d(both, dtype, costly, gate_up);
    return saved;
}

void judo_block_saved_share(judo_block_saved *saved, const judo_block_saved *cheap)
{
    saved->normed1 = cheap->normed1;
    saved->normed2 = cheap->normed2;
    saved->active = cheap->active;
}

judo_block_scratch judo_block_scratch_take(judo_activation_arena *arena,
                                           const judo_block_shape *shape, int64_t rows,
                                           judo_dtype dtype)
{
    int64_t heads = shape->num_heads;
    int64_t kv_heads = shape->num_kv_heads;
    return (judo_block_scratch){
        .normed = judo_arena_take_2d(arena, dtype, rows, shape->hidden),
        .attended = judo_arena_take_3d(arena, dtype, rows, heads, shape->head_dim),
        .q = judo_arena_take_3d(arena, dtype, rows, heads, shape->head_dim),
        .k = judo_arena_take_3d(arena, dtype, rows, kv_heads, shape->head_dim),
        .v = judo_arena_take_3d(arena, dtype, rows, kv_heads, shape->head_dim),
        .active = judo_arena_take_2d(arena, dtype, rows, shape->intermediate),
    };
}

/* [T, heads, head_dim] as [T, heads * head_dim]. */
static judo_tensor flat(const judo_tensor *t)
{
    return judo_tensor_2d(t->data, t->dtype, t->dims[0], t->dims[1] * t->dims[2]);
}

static judo_status linear(const judo_compute *compute, judo_tensor *y, const judo_tensor *x,
                          const judo_tensor *weight, const judo_tensor *bias)
{
    JUDO_COMPUTE(compute, linear_forward(y, x, weight, const_or_null(bias)));
    return JUDO_OK;
}

/* dx = dy w; the weight's and bias's gradients where wanted. */
static judo_status linear_back(const judo_compute *compute, judo_tensor *dx, judo_tensor dw,
                               judo_tensor dbias, const judo_tensor *dy, const judo_tensor *x,
                               const judo_tensor *weight)
{
    JUDO_COMPUTE(compute, linear_backward(dx, false, judo_tensor_or_null(&dw),
                                          judo_tensor_or_null(&dbias), dy, x, weight));
    return JUDO_OK;
}

judo_status judo_block_project(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights, const judo_tensor *cos,
                               const judo_tensor *sin, judo_block_saved *saved,
                               const int32_t *places, judo_tensor *x,
                               const judo_tensor *residual)
{
    if (residual) {
        JUDO_COMPUTE(compute, add_rmsnorm_forward(&saved->normed1, &saved->rstd1, x, residual,
                                                  &weights->norm1, shape->epsilon));
    } else {
        JUDO_COMPUTE(compute, rmsnorm_forward(&saved->normed1, &saved->rstd1, x,
                                              &weights->norm1, shape->epsilon));
    }
    JUDO_TRY(linear(compute, &saved->qkv, &saved->normed1, &weights->qkv_weight,
                    &weights->qkv_bias));
    JUDO_COMPUTE(compute,
                 split_heads(&saved->q, &saved->k, &saved->v, &saved->qkv, cos, sin, places));
    return JUDO_OK;
}

judo_status judo_block_finish(const judo_compute *compute, const judo_block_shape *shape,
                              const judo_block_tensors *weights, judo_block_saved *saved,
                              judo_tensor *y, const judo_tensor *x)
{
    judo_tensor attended = flat(&saved->attended);
    JUDO_TRY(
        linear(compute, &saved->middle, &attended, &weights->out_weight, &weights->out_bias));
    JUDO_COMPUTE(compute, add_rmsnorm_forward(&saved->normed2, &saved->rstd2, &saved->middle, x,
                                              &weights->norm2, shape->epsilon));
    JUDO_TRY(linear(compute, &saved->gate_up, &saved->normed2, &weights->gate_up_weight,
                    &weights->gate_up_bias));
    JUDO_COMPUTE(compute, swiglu_forward(&saved->active, &saved->gate_up));
    return y ? linear(compute, y, &saved->active, &weights->down_weight, &weights->down_bias)
             : JUDO_OK;
}

float judo_block_attention_scale(const judo_block_shape *shape)
{
    return (float)(1.0 / sqrt((double)shape->head_dim));
}

judo_status judo_block_forward(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights,
                               const judo_block_geometry *geometry, judo_block_saved *saved,
                               judo_tensor *y, judo_tensor *x, const judo_tensor *residual)
{
    JUDO_TRY(judo_block_project(compute, shape, weights, &geometry->cos, &geometry->sin, saved,
                                NULL, x, residual));
    JUDO_COMPUTE(compute, attention_forward(&saved->attended, &saved->lse, &saved->q, &saved->k,
                                            &saved->v, geometry->spans, geometry->num_spans,
                                            judo_block_attention_scale(shape)));
    return judo_block_finish(compute, shape, weights, saved, y, x);
}

judo_status judo_block_restore(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights, judo_block_saved *saved,
                               const judo_tensor *x)
{
    JUDO_COMPUTE(compute,
                 rmsnorm_forward(&saved->normed1, NULL, x, &weights->norm1, shape->epsilon));
    JUDO_COMPUTE(compute, rmsnorm_forward(&saved->normed2, NULL, &saved->middle,
                                          &weights->norm2, shape->epsilon));
    JUDO_COMPUTE(compute, swiglu_forward(&saved->active, &saved->gate_up));
    return JUDO_OK;
}

/* The MLP half: d is the gradient of y on entry, of saved->middle on return. */
static judo_status backward_mlp(const judo_compute *compute, const judo_block_tensors *weights,
                                const judo_block_tensors *gradients, judo_block_saved *saved,
                                judo_block_scratch *scratch, judo_tensor *d)
{
    JUDO_TRY(linear_back(compute, &scratch->active, gradients->down_weight,
                         gradients->down_bias, d, &saved->active, &weights->down_weight));
    /* The gradients of gate and up take the place of gate and up. */
    JUDO_COMPUTE(compute, swiglu_backward(&saved->gate_up, &scratch->active, &saved->gate_up));
    JUDO_TRY(linear_back(compute, &scratch->normed, gradients->gate_up_weight,
                         gradients->gate_up_bias, &saved->gate_up, &saved->normed2,
                         &weights->gate_up_weight));
    judo_tensor dnorm = gradients->norm2;
    JUDO_COMPUTE(compute, rmsnorm_backward(d, judo_tensor_or_null(&dnorm), &scratch->normed,
                                           &saved->middle, &weights->norm2, &saved->rstd2));
    return JUDO_OK;
}

/* From the gradients of q, k, v to that of x, added to d. */
static judo_status backward_projections(const judo_compute *compute,
                                        const judo_block_tensors *weights,
                                        const judo_block_tensors *gradients,
                                        const judo_block_geometry *geometry,
                                        judo_block_saved *saved, judo_block_scratch *scratch,
                                        judo_tensor *d, const judo_tensor *x)
{
    JUDO_COMPUTE(compute, join_heads(&saved->qkv, &scratch->q, &scratch->k, &scratch->v,
                                     &geometry->cos, &geometry->sin));
    JUDO_TRY(linear_back(compute, &scratch->normed, gradients->qkv_weight, gradients->qkv_bias,
                         &saved->qkv, &saved->normed1, &weights->qkv_weight));
    judo_tensor dnorm = gradients->norm1;
    JUDO_COMPUTE(compute, rmsnorm_backward(d, judo_tensor_or_null(&dnorm), &scratch->normed, x,
                                           &weights->norm1, &saved->rstd1));
    return JUDO_OK;
}

judo_status judo_block_backward(const judo_compute *compute, const judo_block_shape *shape,
                                const judo_block_tensors *weights,
                                const judo_block_tensors *gradients,
                                const judo_block_geometry *geometry, judo_block_saved *saved,
                                judo_block_scratch *scratch, judo_tensor *d,
                                const judo_tensor *x)
{
    JUDO_TRY(backward_mlp(compute, weights, gradients, saved, scratch, d));
    judo_tensor attended = flat(&saved->attended);
    judo_tensor dattended = flat(&scratch->attended);
    JUDO_TRY(linear_back(compute, &dattended, gradients->out_weight, gradients->out_bias, d,
                         &attended, &weights->out_weight));
    JUDO_COMPUTE(compute,
                 attention_backward(&scratch->q, &scratch->k, &scratch->v, &scratch->attended,
                                    &saved->q, &saved->k, &saved->v, &saved->attended,
                                    &saved->lse, geometry->spans, geometry->num_spans,
                                    judo_block_attention_scale(shape)));
    return backward_projections(compute, weights, gradients, geometry, saved, scratch, d, x);
}
