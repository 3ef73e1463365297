/* eval/evaluate.c: an evaluation from opening to the sums over all ranks. */
#include "eval/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sampler.h"
#include "eval/evaluate_state.h"
#include "parallel/agree.h"
#include "runtime/file.h"
#include "runtime/log.h"

/* The data sets' names in the order of the file, so that every rank numbers them alike. */
static judo_status list_datasets(const judo_dataset *dataset, judo_eval_result *result)
{
    for (int64_t i = 0; i < judo_dataset_count(dataset); i++) {
        judo_sample sample;
        JUDO_TRY(judo_dataset_sample(dataset, i, &sample));
        int known = 0;
        while (known < result->num_datasets &&
               strcmp(result->datasets[known], sample.dataset) != 0) {
            known++;
        }
        if (known < result->num_datasets || sample.kind != JUDO_SAMPLE_CHOICE) {
            continue;
        }
        if (known == JUDO_MMAD_MAX_DATASETS) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: more than %d data sets",
                             judo_dataset_path(dataset), JUDO_MMAD_MAX_DATASETS);
        }
        (void)snprintf(result->datasets[known], sizeof result->datasets[known], "%s",
                       sample.dataset);
        result->num_datasets++;
    }
    return JUDO_OK;
}

/* A limit takes a random choice of the file, the same on every rank and in every evaluation. */
static judo_status choose(int64_t *indices, int64_t count, int64_t used)
{
    judo_sampler *sampler = NULL;
    int64_t *chosen = malloc(((size_t)used + 1) * sizeof *chosen);
    if (!chosen) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to choose %lld samples",
                         (long long)used);
    }
    judo_status status = judo_sampler_create(0, count, true, &sampler);
    for (int64_t i = 0; i < used && status == JUDO_OK; i++) {
        status = judo_sampler_index(sampler, i, &chosen[i]);
    }
    for (int64_t i = 0; i < used && status == JUDO_OK; i++) {
        chosen[i] = indices[chosen[i]];
    }
    if (status == JUDO_OK) {
        memcpy(indices, chosen, (size_t)used * sizeof *chosen);
    }
    judo_sampler_destroy(&sampler);
    free(chosen);
    return status;
}

static judo_status evaluate_kind(judo_evaluate_state *state, judo_sample_kind kind)
{
    int64_t *indices = NULL, used = 0;
    JUDO_TRY(judo_dataset_select(state->evaluation->dataset, kind, &indices, &used));
    judo_status status = JUDO_OK;
    if (state->evaluation->limit > 0 && state->evaluation->limit < used) {
        status = choose(indices, used, state->evaluation->limit);
        used = state->evaluation->limit;
    }
    if (status == JUDO_OK) {
        status = kind == JUDO_SAMPLE_DOMAIN_QA
                     ? judo_evaluate_domain_loss(state, indices, used)
                     : judo_evaluate_completions(state, kind, indices, used);
    }
    free(indices);
    return status;
}

static judo_status run_local(judo_evaluate_state *state)
{
    judo_evaluation *evaluation = state->evaluation;
    int64_t *indices = NULL, segmentation = 0;
    char overlays[1200];
    (void)snprintf(overlays, sizeof overlays, "%s/overlays", evaluation->folder);
    JUDO_TRY(judo_file_make_folder(overlays));
    JUDO_TRY(list_datasets(evaluation->dataset, state->result));
    JUDO_TRY(judo_dataset_select(evaluation->dataset, JUDO_SAMPLE_SEGMENTATION, &indices,
                                 &segmentation));
    free(indices);
    state->cells_from_choice = segmentation == 0;
    JUDO_TRY(judo_batch_builder_create(evaluation->text.processor, &state->builder));
    JUDO_TRY(judo_generation_create((int32_t)evaluation->batch,
                                    (int32_t)evaluation->max_new_tokens, &state->generation));
    JUDO_TRY(evaluate_kind(state, JUDO_SAMPLE_SEGMENTATION));
    JUDO_TRY(evaluate_kind(state, JUDO_SAMPLE_CHOICE));
    state->sums.scored_on_device = (double)judo_device_scorer_scored(evaluation->scorer);
    return evaluate_kind(state, JUDO_SAMPLE_DOMAIN_QA);
}

/* Rank 0 writes all ranks' lines. Collective. */
static judo_status write_samples(judo_evaluate_state *state)
{
    judo_comm *comm = state->evaluation->comm;
    char *all = NULL;
    int64_t *offsets = NULL;
    JUDO_TRY(judo_comm_gather_bytes(comm, state->lines.bytes, (int64_t)state->lines.length,
                                    &all, &offsets));
    judo_status status = JUDO_OK;
    if (comm->rank == 0) {
        char path[1200];
        (void)snprintf(path, sizeof path, "%s/samples.jsonl", state->evaluation->folder);
        status = judo_file_replace(path, all, (size_t)offsets[comm->size]);
    }
    free(all);
    free(offsets);
    return judo_agree(comm, status);
}

static judo_status merge(judo_evaluate_state *state)
{
    judo_comm *comm = state->evaluation->comm;
    judo_eval_result *result = state->result;
    judo_evaluate_sums *sums = &state->sums;
    JUDO_TRY(judo_comm_sum_i64(comm, (int64_t *)&result->counts, JUDO_MMAD_COUNTS_LENGTH));
    JUDO_TRY(judo_comm_sum_f64(comm, (double *)sums, (int)(sizeof *sums / sizeof(double))));
    for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
        result->rewards[r] = sums->scored[r] > 0 ? sums->rewards[r] / sums->scored[r] : NAN;
    }
    result->total_reward = sums->questions > 0 ? sums->total / sums->questions : NAN;
    result->mean_tokens = sums->completions > 0 ? sums->tokens / sums->completions : NAN;
    result->qa_loss = sums->qa_tokens > 0 ? sums->qa_loss / sums->qa_tokens : NAN;
    if (sums->scored_on_device > 0) {
        JUDO_INFO("rewards    the device scored %.0f completions", sums->scored_on_device);
    }
    return JUDO_OK;
}

judo_status judo_evaluate(judo_evaluation *evaluation, judo_eval_result *result)
{
    judo_evaluate_state state = {.evaluation = evaluation, .result = result};
    double begin = judo_clock();
    judo_status status = judo_agree(evaluation->comm, run_local(&state));
    if (status == JUDO_OK) {
        status = write_samples(&state);
    }
    if (status == JUDO_OK) {
        status = merge(&state);
    }
    result->seconds = judo_clock() - begin;
    judo_batch_builder_destroy(&state.builder);
    judo_generation_free(&state.generation);
    judo_text_free(&state.lines);
    return status;
}
