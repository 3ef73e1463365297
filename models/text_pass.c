/* models/text_pass.c: the embedding with the visual rows spliced in, and the decoder. */
#include "models/decoder_block.h"
#include "models/model_state.h"
#include "models/rotary_tables.h"

static judo_status send_angles(judo_pass *pass)
{
    judo_activations *a = &pass->model->activations;
    judo_input_staging *staging = &pass->model->staging;
    void *cos = NULL;
    void *sin = NULL;
    JUDO_TRY(judo_staging_place(staging, &a->text_cos, &cos));
    JUDO_TRY(judo_staging_place(staging, &a->text_sin, &sin));
    judo_rotary_text(&pass->model->config.text, pass->batch->positions, pass->batch->num_tokens,
                     cos, sin);
    JUDO_TRY(judo_staging_send(staging, &a->text_cos, cos));
    return judo_staging_send(staging, &a->text_sin, sin);
}

judo_status judo_embed_forward(judo_pass *pass)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    const judo_batch *batch = pass->batch;
    JUDO_TRY(send_angles(pass));
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.embed, &view));
    judo_tensor table = judo_unit_weight(&view, JUDO_EMBED_TOKENS);
    JUDO_COMPUTE(&pass->compute,
                 gather_rows(&a->decoder_inputs[0], &table, batch->tokens, batch->num_tokens));
    JUDO_COMPUTE(&pass->compute,
                 scatter_rows(&a->decoder_inputs[0], &a->visual, a->splice, batch->num_visual));
    return judo_pass_release(pass, model->units.embed);
}

static judo_block_geometry geometry_of(const judo_pass *pass)
{
    const judo_activations *a = &pass->model->activations;
    return (judo_block_geometry){.cos = a->text_cos,
                                 .sin = a->text_sin,
                                 .spans = pass->batch->spans,
                                 .num_spans = pass->batch->num_spans};
}

static judo_block_saved *saved_of(judo_pass *pass, judo_block_phase *phase, int block)
{
    return judo_block_phase_saved(phase, &pass->model->activations.decoder_saved[block]);
}

static judo_block_phase take_phase(judo_pass *pass)
{
    judo_model *model = pass->model;
    return judo_block_phase_take(&model->arena, &model->decoder_shape, model->options.dtype,
                                 judo_recompute_of(&pass->options, model->reach.decoder),
                                 pass->batch->num_tokens);
}

static judo_status block_forward(judo_pass *pass, judo_block_phase *phase, int block,
                                 const judo_kv_sink *sink)
{
    judo_model *model = pass->model;
    judo_tensor *inputs = model->activations.decoder_inputs;
    int unit = model->units.first_decoder + block;
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, unit, &view));
    judo_block_tensors weights = judo_decoder_block_weights(&view);
    judo_block_geometry geometry = geometry_of(pass);
    judo_block_saved *saved = saved_of(pass, phase, block);
    const judo_tensor *residual = block > 0 ? &saved_of(pass, phase, block - 1)->middle : NULL;
    JUDO_TRY(judo_block_forward(&pass->compute, &model->decoder_shape, &weights, &geometry,
                                saved, &inputs[block + 1], &inputs[block], residual));
    if (sink) {
        JUDO_TRY(sink->put(sink->context, block, &saved->k, &saved->v));
    }
    return judo_pass_release(pass, unit);
}

judo_status judo_decoder_forward(judo_pass *pass, const judo_kv_sink *sink)
{
    judo_model *model = pass->model;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_block_phase phase = take_phase(pass);
    JUDO_TRY(judo_arena_check(&model->arena, "a decoder block"));
    for (int block = 0; block < (int)model->config.text.num_layers; block++) {
        JUDO_TRY(block_forward(pass, &phase, block, sink));
    }
    int last = (int)model->config.text.num_layers - 1;
    JUDO_COMPUTE(&pass->compute, add(&model->activations.decoder_inputs[last + 1],
                                     &saved_of(pass, &phase, last)->middle));
    judo_arena_release(&model->arena, mark);
    return JUDO_OK;
}

static judo_status block_backward(judo_pass *pass, judo_block_phase *phase, int block)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    judo_tensor *x = &a->decoder_inputs[block];
    int unit = model->units.first_decoder + block;
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, unit, &view));
    judo_block_tensors weights = judo_decoder_block_weights(&view);
    judo_block_geometry geometry = geometry_of(pass);
    judo_block_saved *saved = saved_of(pass, phase, block);
    if (phase->recompute == JUDO_RECOMPUTE_UNIT) {
        JUDO_TRY(judo_block_forward(&pass->compute, &model->decoder_shape, &weights, &geometry,
                                    saved, NULL, x, NULL));
    } else if (phase->recompute == JUDO_RECOMPUTE_SELECTIVE) {
        JUDO_TRY(judo_block_restore(&pass->compute, &model->decoder_shape, &weights, saved, x));
    }
    JUDO_TRY(judo_pass_gradient_begin(pass, &view));
    judo_block_tensors gradients = judo_decoder_block_gradients(&view);
    JUDO_TRY(judo_block_backward(&pass->compute, &model->decoder_shape, &weights, &gradients,
                                 &geometry, saved, &phase->scratch, &a->d_text, x));
    JUDO_TRY(judo_pass_gradient_end(pass, &view));
    return judo_pass_release(pass, unit);
}

judo_status judo_decoder_backward(judo_pass *pass)
{
    judo_model *model = pass->model;
    if (!model->reach.decoder) {
        return JUDO_OK;
    }
    int64_t mark = judo_arena_mark(&model->arena);
    judo_block_phase phase = take_phase(pass);
    JUDO_TRY(judo_arena_check(&model->arena, "a decoder block"));
    for (int block = (int)model->config.text.num_layers - 1; block >= 0; block--) {
        JUDO_TRY(block_backward(pass, &phase, block));
    }
    judo_arena_release(&model->arena, mark);
    return JUDO_OK;
}

/* The rows that vision wrote are no embeddings: their gradient goes to vision alone. */
static judo_status clear_visual_rows(judo_pass *pass)
{
    judo_model *model = pass->model;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_tensor zeros = judo_splice_phase_take(&model->arena, &model->config,
                                               model->options.dtype, pass->batch->num_visual);
    JUDO_TRY(judo_arena_check(&model->arena, "the visual rows"));
    JUDO_TRY(judo_tensor_zero(model->device, &zeros));
    JUDO_COMPUTE(&pass->compute,
                 scatter_rows(&model->activations.d_text, &zeros, model->activations.splice,
                              pass->batch->num_visual));
    judo_arena_release(&model->arena, mark);
    return JUDO_OK;
}

judo_status judo_embed_backward(judo_pass *pass)
{
    judo_model *model = pass->model;
    if (!model->reach.embeddings && !model->reach.merger) {
        return JUDO_OK;
    }
    judo_activations *a = &model->activations;
    JUDO_COMPUTE(&pass->compute,
                 gather_rows(&a->visual, &a->d_text, a->splice, pass->batch->num_visual));
    if (!model->reach.embeddings) {
        return JUDO_OK;
    }
    JUDO_TRY(clear_visual_rows(pass));
    judo_unit_view view = {.layout = model->layout, .unit = model->units.embed};
    JUDO_TRY(judo_pass_gradient_begin(pass, &view));
    judo_tensor table = judo_unit_gradient(&view, JUDO_EMBED_TOKENS);
    JUDO_COMPUTE(&pass->compute, scatter_add_rows(&table, &a->d_text, pass->batch->tokens,
                                                  pass->batch->num_tokens));
    return judo_pass_gradient_end(pass, &view);
}
