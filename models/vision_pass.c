/* models/vision_pass.c: the vision tower and the merger over a batch's patches. */
#include <string.h>

#include "models/model_state.h"
#include "models/rotary_tables.h"
#include "models/vision_block.h"

/* Window order, attention spans, pixels and splice rows of the batch's images. */
static void fill_lists(judo_pass *pass)
{
    judo_activations *a = &pass->model->activations;
    const judo_batch *batch = pass->batch;
    const judo_qwen_vision_config *vision = &pass->model->config.vision;
    judo_vision_order_fill(vision, batch->images, batch->num_images, &a->order);
    judo_vision_squares_fill(vision, batch->images, batch->num_images, &a->order, a->squares);
    for (int32_t i = 0; i < batch->num_visual; i++) {
        a->splice[i] = batch->visual_rows[a->order.window_index[i]];
    }
}

static judo_status send_angles(judo_pass *pass)
{
    judo_activations *a = &pass->model->activations;
    judo_input_staging *staging = &pass->model->staging;
    void *cos = NULL;
    void *sin = NULL;
    JUDO_TRY(judo_staging_place(staging, &a->vision_cos, &cos));
    JUDO_TRY(judo_staging_place(staging, &a->vision_sin, &sin));
    judo_rotary_vision(&pass->model->config.vision, a->order.rows, a->order.columns,
                       pass->batch->num_patches, cos, sin);
    JUDO_TRY(judo_staging_send(staging, &a->vision_cos, cos));
    return judo_staging_send(staging, &a->vision_sin, sin);
}

/* The batch's pixels, where they lie. */
static judo_tensor host_pixels(const judo_pass *pass)
{
    return judo_tensor_1d((void *)(uintptr_t)pass->batch->pixels, JUDO_U8,
                          pass->batch->num_patches *
                              judo_qwen_patch_bytes(&pass->model->config));
}

static judo_status send_pixels(judo_pass *pass)
{
    const judo_tensor *pixels = &pass->model->activations.pixels;
    judo_input_staging *staging = &pass->model->staging;
    judo_tensor from = host_pixels(pass);
    void *staged = NULL;
    if (!pass->model->device->separate || from.dims[0] == 0) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_staging_place(staging, pixels, &staged));
    memcpy(staged, from.data, (size_t)from.dims[0]);
    return judo_staging_send(staging, pixels, staged);
}

static judo_block_geometry geometry_of(const judo_pass *pass, int block)
{
    const judo_activations *a = &pass->model->activations;
    bool whole = pass->model->config.vision.full_attention[block];
    return (judo_block_geometry){
        .cos = a->vision_cos,
        .sin = a->vision_sin,
        .spans = whole ? a->order.frames : a->order.windows,
        .num_spans = whole ? a->order.num_frames : a->order.num_windows,
    };
}

/* The patch kernel [hidden, channels, frames, patch, patch] as a matrix. */
static judo_tensor as_matrix(const judo_tensor *kernel)
{
    return judo_tensor_2d(kernel->data, kernel->dtype, kernel->dims[0],
                          judo_tensor_count(kernel) / kernel->dims[0]);
}

/* The batch's, which fits the model; without pictures it may say nothing. */
static judo_patch_form form_of(const judo_pass *pass)
{
    const judo_qwen_vision_config *vision = &pass->model->config.vision;
    judo_patch_form form = pass->batch->patch_form;
    form.side = (int32_t)vision->patch_size;
    form.frames = (int32_t)vision->temporal_patch_size;
    form.merge = (int32_t)vision->spatial_merge_size;
    return form;
}

/* The patches in the phase's memory, in window order. They are not kept: making them again
 * costs less than their memory. */
static judo_status make_patches(judo_pass *pass, judo_tensor *out)
{
    judo_model *model = pass->model;
    const judo_batch *batch = pass->batch;
    judo_activations *a = &model->activations;
    judo_tensor pixels = model->device->separate ? a->pixels : host_pixels(pass);
    judo_patch_form form = form_of(pass);
    *out = judo_patch_phase_take(&model->arena, &model->config, model->options.dtype,
                                 batch->num_patches);
    JUDO_TRY(judo_arena_check(&model->arena, "the patch embedding"));
    JUDO_COMPUTE(&pass->compute, patchify(out, &pixels, a->squares, batch->num_visual, &form));
    return JUDO_OK;
}

static judo_status embed_patches(judo_pass *pass)
{
    judo_model *model = pass->model;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.patch, &view));
    judo_tensor patches;
    JUDO_TRY(make_patches(pass, &patches));
    judo_tensor kernel = judo_unit_weight(&view, JUDO_PATCH_PROJECTION);
    judo_tensor matrix = as_matrix(&kernel);
    JUDO_COMPUTE(&pass->compute,
                 linear_forward(&model->activations.vision_inputs[0], &patches, &matrix, NULL));
    judo_arena_release(&model->arena, mark);
    return judo_pass_release(pass, model->units.patch);
}

static judo_block_saved *saved_of(judo_pass *pass, judo_block_phase *phase, int block)
{
    return judo_block_phase_saved(phase, &pass->model->activations.vision_saved[block]);
}

static judo_block_phase take_phase(judo_pass *pass)
{
    judo_model *model = pass->model;
    return judo_block_phase_take(&model->arena, &model->vision_shape, model->options.dtype,
                                 judo_recompute_of(&pass->options, model->reach.tower),
                                 pass->batch->num_patches);
}

static judo_status block_forward(judo_pass *pass, judo_block_phase *phase, int block)
{
    judo_model *model = pass->model;
    judo_tensor *inputs = model->activations.vision_inputs;
    int unit = model->units.first_vision_block + block;
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, unit, &view));
    judo_block_tensors weights = judo_vision_block_weights(&view);
    judo_block_geometry geometry = geometry_of(pass, block);
    const judo_tensor *residual = block > 0 ? &saved_of(pass, phase, block - 1)->middle : NULL;
    JUDO_TRY(judo_block_forward(&pass->compute, &model->vision_shape, &weights, &geometry,
                                saved_of(pass, phase, block), &inputs[block + 1],
                                &inputs[block], residual));
    return judo_pass_release(pass, unit);
}

static judo_status merge_forward(judo_pass *pass)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    bool kept = judo_recompute_of(&pass->options, model->reach.merger) != JUDO_RECOMPUTE_UNIT;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_merger_phase phase = judo_merger_phase_take(
        &model->arena, &model->config, model->options.dtype, pass->batch->num_visual);
    JUDO_TRY(judo_arena_check(&model->arena, "the merger"));
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.merger, &view));
    JUDO_TRY(judo_merger_forward(&pass->compute, &model->config, &view,
                                 kept ? &a->merger_saved : &phase.saved, &a->visual,
                                 &a->vision_inputs[model->config.vision.depth]));
    judo_arena_release(&model->arena, mark);
    return judo_pass_release(pass, model->units.merger);
}

judo_status judo_vision_forward(judo_pass *pass)
{
    judo_model *model = pass->model;
    fill_lists(pass);
    JUDO_TRY(send_pixels(pass)); /* the largest first: it travels beside the angles' making */
    JUDO_TRY(send_angles(pass));
    JUDO_TRY(embed_patches(pass));
    int64_t mark = judo_arena_mark(&model->arena);
    judo_block_phase phase = take_phase(pass);
    JUDO_TRY(judo_arena_check(&model->arena, "a vision block"));
    for (int block = 0; block < (int)model->config.vision.depth; block++) {
        JUDO_TRY(block_forward(pass, &phase, block));
    }
    int last = (int)model->config.vision.depth - 1;
    JUDO_COMPUTE(&pass->compute, add(&model->activations.vision_inputs[last + 1],
                                     &saved_of(pass, &phase, last)->middle));
    judo_arena_release(&model->arena, mark);
    return merge_forward(pass);
}

/* The visual rows' gradient (in a->visual) to that of the tower's output (a->d_vision). */
static judo_status merge_backward(judo_pass *pass)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    const judo_tensor *x = &a->vision_inputs[model->config.vision.depth];
    int64_t mark = judo_arena_mark(&model->arena);
    judo_merger_phase phase = judo_merger_phase_take(
        &model->arena, &model->config, model->options.dtype, pass->batch->num_visual);
    JUDO_TRY(judo_arena_check(&model->arena, "the merger"));
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.merger, &view));
    judo_merger_saved *saved = &a->merger_saved;
    if (model->options.recompute == JUDO_RECOMPUTE_UNIT) {
        saved = &phase.saved;
        JUDO_TRY(judo_merger_forward(&pass->compute, &model->config, &view, saved, NULL, x));
    }
    JUDO_TRY(judo_tensor_zero(model->device, &a->d_vision));
    JUDO_TRY(judo_pass_gradient_begin(pass, &view));
    JUDO_TRY(judo_merger_backward(&pass->compute, &view, saved, &phase.scratch, &a->d_vision,
                                  &a->visual, x));
    JUDO_TRY(judo_pass_gradient_end(pass, &view));
    judo_arena_release(&model->arena, mark);
    return judo_pass_release(pass, model->units.merger);
}

static judo_status block_backward(judo_pass *pass, judo_block_phase *phase, int block)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    judo_tensor *x = &a->vision_inputs[block];
    int unit = model->units.first_vision_block + block;
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, unit, &view));
    judo_block_tensors weights = judo_vision_block_weights(&view);
    judo_block_geometry geometry = geometry_of(pass, block);
    judo_block_saved *saved = saved_of(pass, phase, block);
    if (phase->recompute == JUDO_RECOMPUTE_UNIT) {
        JUDO_TRY(judo_block_forward(&pass->compute, &model->vision_shape, &weights, &geometry,
                                    saved, NULL, x, NULL));
    } else if (phase->recompute == JUDO_RECOMPUTE_SELECTIVE) {
        JUDO_TRY(judo_block_restore(&pass->compute, &model->vision_shape, &weights, saved, x));
    }
    JUDO_TRY(judo_pass_gradient_begin(pass, &view));
    judo_block_tensors gradients = judo_vision_block_gradients(&view);
    JUDO_TRY(judo_block_backward(&pass->compute, &model->vision_shape, &weights, &gradients,
                                 &geometry, saved, &phase->scratch, &a->d_vision, x));
    JUDO_TRY(judo_pass_gradient_end(pass, &view));
    return judo_pass_release(pass, unit);
}

static judo_status patches_backward(judo_pass *pass)
{
    judo_model *model = pass->model;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_tensor patches;
    JUDO_TRY(make_patches(pass, &patches));
    judo_unit_view view = {.layout = model->layout, .unit = model->units.patch};
    JUDO_TRY(judo_pass_gradient_begin(pass, &view));
    judo_tensor kernel = judo_unit_gradient(&view, JUDO_PATCH_PROJECTION);
    judo_tensor dw = as_matrix(&kernel);
    JUDO_COMPUTE(&pass->compute, linear_backward(NULL, false, &dw, NULL,
                                                 &model->activations.d_vision, &patches, NULL));
    JUDO_TRY(judo_pass_gradient_end(pass, &view));
    judo_arena_release(&model->arena, mark);
    return JUDO_OK;
}

judo_status judo_vision_backward(judo_pass *pass)
{
    judo_model *model = pass->model;
    if (!model->reach.merger) {
        return JUDO_OK;
    }
    JUDO_TRY(merge_backward(pass));
    if (!model->reach.tower) {
        return JUDO_OK;
    }
    int64_t mark = judo_arena_mark(&model->arena);
    judo_block_phase phase = take_phase(pass);
    JUDO_TRY(judo_arena_check(&model->arena, "a vision block"));
    for (int block = (int)model->config.vision.depth - 1; block >= 0; block--) {
        JUDO_TRY(block_backward(pass, &phase, block));
    }
    judo_arena_release(&model->arena, mark);
    return patches_backward(pass);
}
