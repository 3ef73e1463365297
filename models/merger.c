/* models/merger.c: forward and backward of the patch merger. */
#include "models/merger.h"

judo_merger_saved judo_merger_saved_take(judo_activation_arena *arena,
                                         const judo_qwen_config *config, int64_t num_visual,
                                         judo_dtype dtype)
{
    int64_t unit = judo_qwen_merge_unit(config);
    int64_t hidden = config->vision.hidden_size;
    return (judo_merger_saved){
        .normed = judo_arena_take_2d(arena, dtype, num_visual * unit, hidden),
        .rstd = judo_arena_take_1d(arena, JUDO_F32, num_visual * unit),
        .wide = judo_arena_take_2d(arena, dtype, num_visual, unit * hidden),
        .active = judo_arena_take_2d(arena, dtype, num_visual, unit * hidden),
    };
}

/* The patches of a group are neighbours: concatenation is another view. */
static judo_tensor grouped(const judo_tensor *patches, const judo_tensor *wide)
{
    return judo_tensor_2d(patches->data, patches->dtype, wide->dims[0], wide->dims[1]);
}

judo_status judo_merger_forward(const judo_compute *compute, const judo_qwen_config *config,
                                const judo_unit_view *view, judo_merger_saved *saved,
                                judo_tensor *y, const judo_tensor *x)
{
    judo_tensor norm = judo_unit_weight(view, JUDO_MERGER_NORM);
    judo_tensor first = judo_unit_weight(view, JUDO_MERGER_FIRST_WEIGHT);
    judo_tensor first_bias = judo_unit_weight(view, JUDO_MERGER_FIRST_BIAS);
    judo_tensor second = judo_unit_weight(view, JUDO_MERGER_SECOND_WEIGHT);
    judo_tensor second_bias = judo_unit_weight(view, JUDO_MERGER_SECOND_BIAS);
    judo_tensor group = grouped(&saved->normed, &saved->wide);
    JUDO_COMPUTE(compute, rmsnorm_forward(&saved->normed, &saved->rstd, x, &norm,
                                          (float)config->vision.rms_norm_eps));
    JUDO_COMPUTE(compute, linear_forward(&saved->wide, &group, &first, &first_bias));
    JUDO_COMPUTE(compute, gelu_forward(&saved->active, &saved->wide));
    if (!y) {
        return JUDO_OK;
    }
    JUDO_COMPUTE(compute, linear_forward(y, &saved->active, &second, &second_bias));
    return JUDO_OK;
}

judo_status judo_merger_backward(const judo_compute *compute, const judo_unit_view *view,
                                 judo_merger_saved *saved, judo_tensor *scratch,
                                 judo_tensor *dx, const judo_tensor *dy, const judo_tensor *x)
{
    judo_tensor norm = judo_unit_weight(view, JUDO_MERGER_NORM);
    judo_tensor first = judo_unit_weight(view, JUDO_MERGER_FIRST_WEIGHT);
    judo_tensor second = judo_unit_weight(view, JUDO_MERGER_SECOND_WEIGHT);
    judo_tensor dnorm = judo_unit_gradient(view, JUDO_MERGER_NORM);
    judo_tensor dfirst = judo_unit_gradient(view, JUDO_MERGER_FIRST_WEIGHT);
    judo_tensor dfirst_bias = judo_unit_gradient(view, JUDO_MERGER_FIRST_BIAS);
    judo_tensor dsecond = judo_unit_gradient(view, JUDO_MERGER_SECOND_WEIGHT);
    judo_tensor dsecond_bias = judo_unit_gradient(view, JUDO_MERGER_SECOND_BIAS);
    judo_tensor group = grouped(&saved->normed, &saved->wide);
    JUDO_COMPUTE(compute, linear_backward(scratch, false, judo_tensor_or_null(&dsecond),
                                          judo_tensor_or_null(&dsecond_bias), dy,
                                          &saved->active, &second));
    JUDO_COMPUTE(compute, gelu_backward(scratch, scratch, &saved->wide));
    /* saved->active is used up: it takes the gradient of the normed patches. */
    JUDO_COMPUTE(compute,
                 linear_backward(&saved->active, false, judo_tensor_or_null(&dfirst),
                                 judo_tensor_or_null(&dfirst_bias), scratch, &group, &first));
    judo_tensor dnormed = saved->normed;
    dnormed.data = saved->active.data;
    JUDO_COMPUTE(compute, rmsnorm_backward(dx, judo_tensor_or_null(&dnorm), &dnormed, x, &norm,
                                           &saved->rstd));
    return JUDO_OK;
}
