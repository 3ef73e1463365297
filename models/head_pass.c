/* models/head_pass.c: final norm, head and loss over the rows that have a target. */
#include "models/model_state.h"
#include "models/sequence_ratio.h"

int judo_model_head_unit(const judo_model *model)
{
    return model->config.text.tie_word_embeddings ? model->units.embed : model->units.head;
}

static int head_place(const judo_model *model)
{
    return model->config.text.tie_word_embeddings ? JUDO_EMBED_TOKENS : JUDO_HEAD_LM;
}

judo_tensor judo_model_head_matrix(const judo_model *model, const judo_unit_view *view)
{
    return judo_unit_weight(view, head_place(model));
}

/* The wanted rows of the decoder's output, normed. */
static judo_status norm_rows(judo_pass *pass, const judo_unit_view *view, const int32_t *rows,
                             int32_t num_rows, judo_head_phase *phase, judo_tensor *normed)
{
    judo_model *model = pass->model;
    judo_tensor norm = judo_unit_weight(view, JUDO_HEAD_NORM);
    const judo_tensor *output =
        &model->activations.decoder_inputs[model->config.text.num_layers];
    JUDO_COMPUTE(&pass->compute, gather_rows(&phase->gathered, output, rows, num_rows));
    JUDO_COMPUTE(&pass->compute, rmsnorm_forward(normed, &phase->rstd, &phase->gathered, &norm,
                                                 (float)model->config.text.rms_norm_eps));
    return JUDO_OK;
}

judo_status judo_head_norm_rows(judo_pass *pass, const int32_t *rows, int32_t num_rows,
                                judo_tensor *hidden)
{
    judo_model *model = pass->model;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_head_phase phase =
        judo_head_phase_take(&model->arena, &model->config, model->options.dtype, num_rows, 0);
    JUDO_TRY(judo_arena_check(&model->arena, "the final norm"));
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.head, &view));
    JUDO_TRY(norm_rows(pass, &view, rows, num_rows, &phase, hidden));
    judo_arena_release(&model->arena, mark);
    return judo_pass_release(pass, model->units.head);
}

/* A sequence has one ratio, which needs all its log-probabilities before the first gradient.
 * One sweep of the head more gives them; another forward pass of the model would cost all
 * layers. */
static judo_status fill_log_ratios(judo_pass *pass, const judo_head_phase *phase,
                                   const judo_tensor *matrix, const judo_token_loss *loss,
                                   judo_token_result *result)
{
    judo_model *model = pass->model;
    const judo_batch *batch = pass->batch;
    if (!result->logprobs) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a loss at sequence level needs room for the log-probabilities");
    }
    judo_token_loss none = {
        .kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = loss->temperature};
    judo_token_result current = {.logprobs = result->logprobs};
    JUDO_COMPUTE(&pass->compute,
                 head_loss(&current, NULL, NULL, &phase->normed, matrix, batch->target_tokens,
                           &none, model->banned, model->options.head_chunk_rows));
    judo_sequence_log_ratios(batch->num_targets, batch->target_sequences, current.logprobs,
                             loss->old_logprobs, loss->log_ratios);
    return JUDO_OK;
}

/* Log-probabilities and loss; in a backward pass also the gradients of the head's matrix and of
 * the normed rows. */
static judo_status head_loss(judo_pass *pass, judo_unit_view *view, judo_head_phase *phase,
                             const judo_token_loss *loss, judo_token_result *result)
{
    judo_model *model = pass->model;
    judo_tensor matrix = judo_model_head_matrix(model, view);
    judo_tensor d_matrix = judo_unit_gradient(view, head_place(model));
    if (loss->kind == JUDO_LOSS_POLICY && loss->log_ratios && loss->old_logprobs &&
        pass->batch->num_targets > 0) {
        JUDO_TRY(fill_log_ratios(pass, phase, &matrix, loss, result));
    }
    JUDO_COMPUTE(&pass->compute, head_loss(result, pass->backward ? &phase->d_normed : NULL,
                                           judo_tensor_or_null(&d_matrix), &phase->normed,
                                           &matrix, pass->batch->target_tokens, loss,
                                           model->banned, model->options.head_chunk_rows));
    return JUDO_OK;
}

/* d_normed through the norm, then to the rows of d_text; rows may repeat (a prompt's last token
 * predicts the first of every completion), so the sum is fp32. */
static judo_status norm_backward(judo_pass *pass, judo_unit_view *view, judo_head_phase *phase)
{
    judo_model *model = pass->model;
    judo_activations *a = &model->activations;
    judo_tensor norm = judo_unit_weight(view, JUDO_HEAD_NORM);
    judo_tensor d_norm = judo_unit_gradient(view, JUDO_HEAD_NORM);
    JUDO_TRY(judo_tensor_zero(model->device, &phase->d_gathered));
    JUDO_COMPUTE(&pass->compute,
                 rmsnorm_backward(&phase->d_gathered, judo_tensor_or_null(&d_norm),
                                  &phase->d_normed, &phase->gathered, &norm, &phase->rstd));
    if (!model->reach.decoder) {
        return JUDO_OK;
    }
    judo_tensor *sum = a->d_text.dtype == JUDO_F32 ? &a->d_text : &phase->d_sum;
    JUDO_TRY(judo_tensor_zero(model->device, sum));
    JUDO_COMPUTE(&pass->compute,
                 scatter_add_rows(sum, &phase->d_gathered, pass->batch->target_rows,
                                  pass->batch->num_targets));
    if (sum != &a->d_text) {
        JUDO_COMPUTE(&pass->compute, convert(&a->d_text, sum));
    }
    return JUDO_OK;
}

/* The tied matrix is another unit: acquired beside the norm, its gradient handed in alone. */
static judo_status run_tied(judo_pass *pass, judo_unit_view *view, judo_head_phase *phase,
                            const judo_token_loss *loss, judo_token_result *result)
{
    judo_unit_view embed;
    JUDO_TRY(judo_pass_acquire(pass, pass->model->units.embed, &embed));
    if (pass->backward) {
        JUDO_TRY(judo_pass_gradient_begin(pass, &embed));
    }
    JUDO_TRY(head_loss(pass, &embed, phase, loss, result));
    if (pass->backward) {
        JUDO_TRY(judo_pass_gradient_end(pass, &embed));
        JUDO_TRY(judo_pass_gradient_begin(pass, view));
    }
    return judo_pass_release(pass, pass->model->units.embed);
}

static judo_status run_untied(judo_pass *pass, judo_unit_view *view, judo_head_phase *phase,
                              const judo_token_loss *loss, judo_token_result *result)
{
    if (pass->backward) {
        JUDO_TRY(judo_pass_gradient_begin(pass, view));
    }
    return head_loss(pass, view, phase, loss, result);
}

judo_status judo_head_run(judo_pass *pass, const judo_token_loss *loss,
                          judo_token_result *result)
{
    judo_model *model = pass->model;
    const judo_batch *batch = pass->batch;
    int64_t mark = judo_arena_mark(&model->arena);
    judo_head_phase phase =
        judo_head_phase_take(&model->arena, &model->config, model->options.dtype,
                             batch->num_targets, pass->backward ? batch->num_tokens : 0);
    JUDO_TRY(judo_arena_check(&model->arena, "the head"));
    judo_unit_view view;
    JUDO_TRY(judo_pass_acquire(pass, model->units.head, &view));
    JUDO_TRY(
        norm_rows(pass, &view, batch->target_rows, batch->num_targets, &phase, &phase.normed));
    if (model->config.text.tie_word_embeddings) {
        JUDO_TRY(run_tied(pass, &view, &phase, loss, result));
    } else {
        JUDO_TRY(run_untied(pass, &view, &phase, loss, result));
    }
    if (pass->backward) {
        JUDO_TRY(norm_backward(pass, &view, &phase));
        JUDO_TRY(judo_pass_gradient_end(pass, &view));
    }
    judo_arena_release(&model->arena, mark);
    return judo_pass_release(pass, model->units.head);
}
