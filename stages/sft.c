/* stages/sft.c: supervised fine-tuning. The samples of a step are positions [step * B, (step +
 * 1) * B) of the sampler's order, dealt to the ranks in turn, so that a step's gradient does
 * not depend on the number of ranks. */
#include "stages/sft.h"

#include <math.h>
#include <stdlib.h>

#include "data/batch_builder.h"
#include "data/loader.h"
#include "parallel/agree.h"
#include "stages/finite_check.h"
#include "stages/loss_scale.h"
#include "stages/memory_plan.h"

enum { SUM_LOSS, SUM_ENTROPY, SUM_CORRECT, NUM_SUMS };

typedef struct judo_sft {
    judo_job *job;
    judo_loader *loader;
    int64_t micro_steps;          /* per optimizer step, the same on all ranks */
    judo_batch_builder **micro;   /* [micro_steps]: the step's batches, held by the loader */
    double (*sums)[NUM_SUMS];     /* [micro_steps]: of the rank's passes */
    double (*all_sums)[NUM_SUMS]; /* [ranks][micro_steps] */
} judo_sft;

double judo_sft_samples_per_step(const judo_train_config *config)
{
    return (double)config->train.batch_size;
}

/* Adds the sample at global position `position` to the batch. Runs on loader threads. */
static judo_status add_sample(judo_job *job, int64_t position, judo_batch_builder *builder)
{
    judo_sample sample;
    judo_sample_sequence sequence = {0};
    int64_t place;
    JUDO_TRY(judo_sampler_index(job->sampler, position, &place));
    JUDO_TRY(judo_dataset_sample(job->dataset, job->indices[place], &sample));
    judo_status status =
        judo_sample_sequence_build(&job->text, job->dataset, &sample, true, &sequence);
    if (status == JUDO_OK) {
        sequence.view.weight =
            judo_sft_weight((judo_normalization)job->config->train.normalization,
                            sequence.view.num_tokens - sequence.view.first_target);
        status = judo_batch_builder_add(builder, &sequence.view);
    }
    judo_sample_sequence_free(&sequence);
    return status;
}

/* Which of the step's samples is the j-th of a rank's pass. They are dealt one by one, so that
 * ranks that have fewer than others lack one at most; or by passes that hold the same on any
 * number of ranks. */
static int64_t slot_of(const judo_job *job, int64_t micro, int64_t j)
{
    int64_t micro_batch = job->config->train.micro_batch;
    return job->config->train.deterministic
               ? (micro * job->comm->size + job->comm->rank) * micro_batch + j
               : (micro * micro_batch + j) * job->comm->size + job->comm->rank;
}

static judo_status build_micro_batch(void *context, int64_t ticket, judo_batch_builder *builder)
{
    judo_sft *self = context;
    judo_job *job = self->job;
    int64_t batch_size = job->config->train.batch_size;
    int64_t micro_batch = job->config->train.micro_batch;
    int64_t step = ticket / self->micro_steps;
    int64_t micro = ticket % self->micro_steps;
    for (int64_t j = 0; j < micro_batch; j++) {
        int64_t slot = slot_of(job, micro, j);
        if (slot < batch_size) {
            JUDO_TRY(add_sample(job, step * batch_size + slot, builder));
        }
    }
    judo_batch batch;
    JUDO_TRY(judo_batch_builder_batch(builder, &batch));
    return judo_model_check_batch(job->model, &batch);
}

judo_status judo_sft_open(judo_job *job, void **state)
{
    judo_sft *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the stage");
    }
    const judo_train_config *config = job->config;
    self->job = job;
    int64_t per_rank = (config->train.batch_size + job->comm->size - 1) / job->comm->size;
    self->micro_steps = (per_rank + config->train.micro_batch - 1) / config->train.micro_batch;
    self->micro = calloc((size_t)self->micro_steps, sizeof(judo_batch_builder *));
    self->sums = calloc((size_t)self->micro_steps, sizeof *self->sums);
    self->all_sums =
        calloc((size_t)(self->micro_steps * job->comm->size), sizeof *self->all_sums);
    judo_status status = self->micro && self->sums && self->all_sums
                             ? JUDO_OK
                             : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the stage");
    if (status == JUDO_OK) {
        judo_loader_options options = {
            .processor = job->processor,
            .build = build_micro_batch,
            .context = self,
            .num_threads = (int)config->data.workers,
            .num_held = (int)self->micro_steps,
            .num_slots = (int)(2 * self->micro_steps) + 1,
            .first_ticket = job->first_step * self->micro_steps,
            .end_ticket = job->total_steps * self->micro_steps,
        };
        judo_memory_plan_batches(job, options.num_slots);
        status = judo_loader_open(&options, &self->loader);
    }
    *state = self;
    return status;
}

void judo_sft_close(judo_job *job, void **state)
{
    (void)job;
    judo_sft *self = *state;
    if (self) {
        judo_loader_close(&self->loader);
        free(self->micro);
        free(self->sums);
        free(self->all_sums);
        free(self);
        *state = NULL;
    }
}

static judo_status take_batches(judo_sft *self)
{
    for (int64_t m = 0; m < self->micro_steps; m++) {
        JUDO_TRY(judo_loader_next(self->loader, &self->micro[m]));
    }
    return JUDO_OK;
}

/* The step's denominator: all target weights, or all samples. Collective. */
static judo_status agree_denominator(judo_sft *self, double totals[3])
{
    totals[0] = totals[1] = totals[2] = 0;
    for (int64_t m = 0; m < self->micro_steps; m++) {
        judo_batch batch;
        JUDO_TRY(judo_batch_builder_batch(self->micro[m], &batch));
        totals[0] += batch.num_targets;
        totals[1] += batch.num_sequences;
        totals[2] += batch.num_tokens;
    }
    return judo_comm_sum_f64(self->job->comm, totals, 3);
}

/* Of a pass whose loss is not finite. */
static judo_status name_rows(const judo_sft *self, int64_t step, int64_t micro)
{
    enum { MOST_NAMED = 16 };

    const judo_job *job = self->job;
    int64_t rows[MOST_NAMED];
    int64_t count = 0;
    for (int64_t j = 0; j < job->config->train.micro_batch && count < MOST_NAMED; j++) {
        int64_t slot = slot_of(job, micro, j);
        if (slot < job->config->train.batch_size) {
            int64_t place;
            JUDO_TRY(judo_sampler_index(job->sampler,
                                        step * job->config->train.batch_size + slot, &place));
            rows[count++] = job->indices[place];
        }
    }
    judo_finite_check_name_rows(job, rows, count);
    return JUDO_OK;
}

/* Forward and backward of the rank's passes; leaves the sums of each. Collective. */
static judo_status run_passes(judo_sft *self, int64_t step, double scale)
{
    judo_job *job = self->job;
    for (int64_t m = 0; m < self->micro_steps; m++) {
        judo_batch batch;
        judo_token_result result = {0};
        JUDO_TRY(judo_batch_builder_batch(self->micro[m], &batch));
        judo_token_loss loss = {.kind = JUDO_LOSS_NLL,
                                .scale = scale,
                                .temperature = 1.0f,
                                .weights = batch.target_weights};
        JUDO_TRY(judo_model_run(job->model, job->params, &batch, &loss, true, &result));
        if (!isfinite(result.loss)) {
            JUDO_TRY(name_rows(self, step, m));
        }
        self->sums[m][SUM_LOSS] = result.loss;
        self->sums[m][SUM_ENTROPY] = result.entropy;
        self->sums[m][SUM_CORRECT] = (double)result.num_correct;
    }
    return JUDO_OK;
}

/* Over all passes of all ranks, in their order in the step: no number of ranks changes it.
 * Collective. */
static judo_status sum_passes(judo_sft *self, double sums[NUM_SUMS])
{
    judo_comm *comm = self->job->comm;
    int64_t bytes = self->micro_steps * (int64_t)sizeof *self->sums;
    JUDO_TRY(judo_comm_all_gather(comm, self->sums, bytes, self->all_sums));
    for (int64_t m = 0; m < self->micro_steps; m++) {
        for (int rank = 0; rank < comm->size; rank++) {
            for (int i = 0; i < NUM_SUMS; i++) {
                sums[i] += self->all_sums[rank * self->micro_steps + m][i];
            }
        }
    }
    return JUDO_OK;
}

judo_status judo_sft_accumulate(judo_job *job, void *state, int64_t step)
{
    judo_sft *self = state;
    judo_phases_enter(&job->phases, step, JUDO_PHASE_DATA);
    JUDO_TRY(judo_agree(job->comm, take_batches(self)));
    judo_phases_enter(&job->phases, step, JUDO_PHASE_MODEL);
    double totals[3];
    JUDO_TRY(agree_denominator(self, totals));
    double denominator = judo_sft_denominator(
        (judo_normalization)job->config->train.normalization, totals[1], totals[0]);
    double sums[NUM_SUMS] = {0};
    JUDO_TRY(run_passes(self, step, 1.0 / denominator));
    JUDO_TRY(sum_passes(self, sums));
    double targets = totals[0] > 0 ? totals[0] : 1;
    judo_metrics_put(job->metrics, "loss", sums[SUM_LOSS]);
    judo_metrics_put(job->metrics, "entropy", sums[SUM_ENTROPY] / targets);
    judo_metrics_put(job->metrics, "mean_token_accuracy", sums[SUM_CORRECT] / targets);
    judo_metrics_put(job->metrics, "num_tokens", totals[2]);
    return JUDO_OK;
}
