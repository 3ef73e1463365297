/* eval/evaluate_domain.c: how well the model knows the domain: the mean loss per answer token.
 */
#include "eval/evaluate_state.h"
#include "runtime/log.h"

static judo_status add_sample(judo_evaluate_state *state, int64_t index)
{
    judo_sample sample;
    judo_sample_sequence sequence = {0};
    judo_evaluation *evaluation = state->evaluation;
    JUDO_TRY(judo_dataset_sample(evaluation->dataset, index, &sample));
    judo_status status = judo_sample_sequence_build(&evaluation->text, evaluation->dataset,
                                                    &sample, true, &sequence);
    if (status == JUDO_OK) {
        sequence.view.weight = 1.0f;
        status = judo_batch_builder_add(state->builder, &sequence.view);
    }
    judo_sample_sequence_free(&sequence);
    return status;
}

judo_status judo_evaluate_domain_loss(judo_evaluate_state *state, const int64_t *indices,
                                      int64_t count)
{
    judo_evaluation *evaluation = state->evaluation;
    judo_progress progress;
    judo_progress_begin(&progress, "domain answers", "sample", count);
    for (int64_t i = evaluation->comm->rank; i < count; i += evaluation->comm->size) {
        judo_batch batch;
        judo_batch_builder_reset(state->builder);
        JUDO_TRY(add_sample(state, indices[i]));
        JUDO_TRY(judo_batch_builder_batch(state->builder, &batch));
        judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
        judo_token_result result = {0};
        JUDO_TRY(judo_model_run(evaluation->model, evaluation->params, &batch, &loss, false,
                                &result));
        state->sums.qa_loss += result.loss;
        state->sums.qa_tokens += batch.num_targets;
        judo_progress_update(&progress, i, NULL);
    }
    judo_progress_end(&progress);
    return JUDO_OK;
}
