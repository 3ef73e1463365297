/* models/block.c: forward and backward of one transformer block. */
#include "models/block.h"

#include <math.h>

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
                                       judo_dtype dtype)
{
    int64_t heads = shape->num_heads;
    int64_t kv_heads = shape->num_kv_heads;
    return (judo_block_saved){
        .normed1 = judo_arena_take_2d(arena, dtype, rows, shape->hidden),
        .rstd1 = judo_arena_take_1d(arena, JUDO_F32, rows),
        .q = judo_arena_take_3d(arena, dtype, rows, heads, shape->head_dim),
        .k = judo_arena_take_3d(arena, dtype, rows, kv_heads, shape->head_dim),
        .v = judo_arena_take_3d(arena, dtype, rows, kv_heads, shape->head_dim),
        .attended = judo_arena_take_3d(arena, dtype, rows, heads, shape->head_dim),
        .lse = judo_arena_take_2d(arena, JUDO_F32, rows, heads),
        .middle = judo_arena_take_2d(arena, dtype, rows, shape->hidden),
        .normed2 = judo_arena_take_2d(arena, dtype, rows, shape->hidden),
        .rstd2 = judo_arena_take_1d(arena, JUDO_F32, rows),
        .gate = judo_arena_take_2d(arena, dtype, rows, shape->intermediate),
        .up = judo_arena_take_2d(arena, dtype, rows, shape->intermediate),
        .active = judo_arena_take_2d(arena, dtype, rows, shape->intermediate),
    };
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

/* dx = or += dy w; the weight's and bias's gradients where wanted. */
static judo_status linear_back(const judo_compute *compute, judo_tensor *dx, bool accumulate,
                               judo_tensor dw, judo_tensor dbias, const judo_tensor *dy,
                               const judo_tensor *x, const judo_tensor *weight)
{
    JUDO_COMPUTE(compute, linear_backward(dx, accumulate, judo_tensor_or_null(&dw),
                                          judo_tensor_or_null(&dbias), dy, x, weight));
    return JUDO_OK;
}

judo_status judo_block_project(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights, const judo_tensor *cos,
                               const judo_tensor *sin, judo_block_saved *saved,
                               const judo_tensor *x)
{
    judo_tensor q = flat(&saved->q);
    judo_tensor k = flat(&saved->k);
    judo_tensor v = flat(&saved->v);
    JUDO_COMPUTE(compute, rmsnorm_forward(&saved->normed1, &saved->rstd1, x, &weights->norm1,
                                          shape->epsilon));
    JUDO_TRY(linear(compute, &q, &saved->normed1, &weights->q_weight, &weights->q_bias));
    JUDO_TRY(linear(compute, &k, &saved->normed1, &weights->k_weight, &weights->k_bias));
    JUDO_TRY(linear(compute, &v, &saved->normed1, &weights->v_weight, &weights->v_bias));
    JUDO_COMPUTE(compute, rotary(&saved->q, cos, sin, false));
    JUDO_COMPUTE(compute, rotary(&saved->k, cos, sin, false));
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
    JUDO_TRY(linear(compute, &saved->gate, &saved->normed2, &weights->gate_weight,
                    &weights->gate_bias));
    JUDO_TRY(
        linear(compute, &saved->up, &saved->normed2, &weights->up_weight, &weights->up_bias));
    JUDO_COMPUTE(compute, swiglu_forward(&saved->active, &saved->gate, &saved->up));
    if (!y) {
        return JUDO_OK;
    }
    JUDO_TRY(linear(compute, y, &saved->active, &weights->down_weight, &weights->down_bias));
    JUDO_COMPUTE(compute, add(y, &saved->middle));
    return JUDO_OK;
}

float judo_block_attention_scale(const judo_block_shape *shape)
{
    return (float)(1.0 / sqrt((double)shape->head_dim));
}

judo_status judo_block_forward(const judo_compute *compute, const judo_block_shape *shape,
                               const judo_block_tensors *weights,
                               const judo_block_geometry *geometry, judo_block_saved *saved,
                               judo_tensor *y, const judo_tensor *x)
{
    JUDO_TRY(
        judo_block_project(compute, shape, weights, &geometry->cos, &geometry->sin, saved, x));
    JUDO_COMPUTE(compute, attention_forward(&saved->attended, &saved->lse, &saved->q, &saved->k,
                                            &saved->v, geometry->spans, geometry->num_spans,
                                            judo_block_attention_scale(shape)));
    return judo_block_finish(compute, shape, weights, saved, y, x);
}

/* The MLP half: d is the gradient of y on entry, of saved->middle on return. */
static judo_status backward_mlp(const judo_compute *compute, const judo_block_tensors *weights,
                                const judo_block_tensors *gradients, judo_block_saved *saved,
                                judo_block_scratch *scratch, judo_tensor *d)
{
    JUDO_TRY(linear_back(compute, &scratch->active, false, gradients->down_weight,
                         gradients->down_bias, d, &saved->active, &weights->down_weight));
    /* The gradients of gate and up take the place of gate and up. */
    JUDO_COMPUTE(compute, swiglu_backward(&saved->gate, &saved->up, &scratch->active,
                                          &saved->gate, &saved->up));
    JUDO_TRY(linear_back(compute, &scratch->normed, false, gradients->gate_weight,
                         gradients->gate_bias, &saved->gate, &saved->normed2,
                         &weights->gate_weight));
    JUDO_TRY(linear_back(compute, &scratch->normed, true, gradients->up_weight,
                         gradients->up_bias, &saved->up, &saved->normed2, &weights->up_weight));
    judo_tensor dnorm = gradients->norm2;
    JUDO_COMPUTE(compute, rmsnorm_backward(d, judo_tensor_or_null(&dnorm), &scratch->normed,
                                           &saved->middle, &weights->norm2, &saved->rstd2));
    return JUDO_OK;
}

/* From the gradients of q, k, v to that of x, added to d. */
static judo_status backward_projections(const judo_compute *compute,
                                        const judo_block_tensors *weights,
                                        const judo_block_tensors *gradients,
                                        judo_block_saved *saved, judo_block_scratch *scratch,
                                        judo_tensor *d, const judo_tensor *x)
{
    judo_tensor dq = flat(&scratch->q);
    judo_tensor dk = flat(&scratch->k);
    judo_tensor dv = flat(&scratch->v);
    JUDO_TRY(linear_back(compute, &scratch->normed, false, gradients->q_weight,
                         gradients->q_bias, &dq, &saved->normed1, &weights->q_weight));
    JUDO_TRY(linear_back(compute, &scratch->normed, true, gradients->k_weight,
                         gradients->k_bias, &dk, &saved->normed1, &weights->k_weight));
    JUDO_TRY(linear_back(compute, &scratch->normed, true, gradients->v_weight,
                         gradients->v_bias, &dv, &saved->normed1, &weights->v_weight));
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
    JUDO_TRY(linear_back(compute, &dattended, false, gradients->out_weight, gradients->out_bias,
                         d, &attended, &weights->out_weight));
    JUDO_COMPUTE(compute,
                 attention_backward(&scratch->q, &scratch->k, &scratch->v, &scratch->attended,
                                    &saved->q, &saved->k, &saved->v, &saved->attended,
                                    &saved->lse, geometry->spans, geometry->num_spans,
                                    judo_block_attention_scale(shape)));
    JUDO_COMPUTE(compute, rotary(&scratch->q, &geometry->cos, &geometry->sin, true));
    JUDO_COMPUTE(compute, rotary(&scratch->k, &geometry->cos, &geometry->sin, true));
    return backward_projections(compute, weights, gradients, saved, scratch, d, x);
}
