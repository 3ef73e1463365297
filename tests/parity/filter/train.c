/* tests/parity/filter/train.c: optimizer steps on given samples, with clipping and a schedule.
 */
#include <stdlib.h>
#include <string.h>

#include "parallel/zero3.h"
#include "stages/schedule.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/pass.h"

typedef struct training {
    judo_parity_pass pass;
    judo_comm *comm;
    judo_zero3 *zero;
    int64_t steps, per_step, micro_batch; /* samples of a step and of a pass */
    judo_adamw adamw;                     /* learning_rate: the peak */
    double clip_norm, minimum_ratio;
    int64_t schedule, warmup;
    float *losses, *norms; /* [steps] */
} training;

static judo_status read_settings(const judo_json *request, const char *source, training *self)
{
    const struct {
        const char *key;
        int64_t *target;
    } integers[] = {{"steps", &self->steps},
                    {"per_step", &self->per_step},
                    {"micro_batch", &self->micro_batch},
                    {"schedule", &self->schedule},
                    {"warmup", &self->warmup}};

    const struct {
        const char *key;
        double *target;
    } numbers[] = {{"learning_rate", &self->adamw.learning_rate},
                   {"beta1", &self->adamw.beta1},
                   {"beta2", &self->adamw.beta2},
                   {"epsilon", &self->adamw.epsilon},
                   {"weight_decay", &self->adamw.weight_decay},
                   {"clip_norm", &self->clip_norm},
                   {"minimum_ratio", &self->minimum_ratio}};

    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        JUDO_TRY(judo_json_get_int(request, integers[i].key, source, integers[i].target));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        JUDO_TRY(judo_json_get_double(request, numbers[i].key, source, numbers[i].target));
    }
    return JUDO_OK;
}

static judo_status open_training(const char *folder, const char *input, bool checkpoint,
                                 training *self)
{
    judo_weight_source source = {0};
    const judo_zero3_options options = {0};
    JUDO_TRY(judo_parity_pass_open(folder, input, checkpoint, &self->pass));
    if (self->steps < 1 || self->micro_batch < 1 ||
        self->steps * self->per_step != self->pass.samples.count) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: %d samples for %lld steps of %lld", input,
                         self->pass.samples.count, (long long)self->steps,
                         (long long)self->per_step);
    }
    self->losses = calloc((size_t)self->steps, sizeof *self->losses);
    self->norms = calloc((size_t)self->steps, sizeof *self->norms);
    if (!self->losses || !self->norms) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld steps", (long long)self->steps);
    }
    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    JUDO_TRY(judo_comm_self_create(&self->comm));
    JUDO_TRY(judo_zero3_create(self->comm, layout, judo_model_device(self->pass.model),
                               &options, &self->zero));
    JUDO_TRY(judo_model_source_open(folder, layout, &source));
    judo_status status = judo_zero3_load(self->zero, &source);
    judo_model_source_close(&source);
    return status;
}

/* The mean, by weight, over the targets of all of the step's passes. */
static judo_status accumulate(training *self, int64_t step)
{
    judo_batch batch;
    int32_t first = (int32_t)(step * self->per_step);
    int32_t end = first + (int32_t)self->per_step;
    double total = 0.0;
    for (int32_t i = first; i < end; i++) {
        const judo_sequence *s = &self->pass.samples.sequences[i];
        total += (double)s->weight * (s->num_tokens - s->first_target);
    }
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL, .scale = 1.0 / total, .temperature = 1.0f};
    judo_token_result result = {0};
    for (int32_t i = first; i < end; i += (int32_t)self->micro_batch) {
        int32_t last =
            i + (int32_t)self->micro_batch < end ? i + (int32_t)self->micro_batch : end;
        JUDO_TRY(
            judo_parity_pack(&self->pass.samples, i, last, false, self->pass.builder, &batch));
        JUDO_TRY(judo_model_run(self->pass.model, judo_zero3_params(self->zero), &batch, &loss,
                                true, &result));
    }
    self->losses[step] = (float)result.loss;
    return JUDO_OK;
}

static judo_status run_steps(training *self)
{
    for (int64_t step = 0; step < self->steps; step++) {
        judo_zero3_update done;
        judo_adamw options = self->adamw;
        options.learning_rate *=
            judo_schedule_factor((judo_schedule_kind)self->schedule, step, self->warmup,
                                 self->steps, self->minimum_ratio);
        options.step = step + 1;
        options.gradient_scale = 1.0f;
        JUDO_TRY(judo_zero3_zero_gradients(self->zero));
        JUDO_TRY(accumulate(self, step));
        JUDO_TRY(judo_zero3_step(self->zero, &options, self->clip_norm, &done));
        self->norms[step] = (float)done.gradient_norm;
    }
    return JUDO_OK;
}

/* One rank owns all. */
static judo_status take_weights(void *context, int param, int64_t first, int64_t count,
                                const float *weights)
{
    float *const *places = context;
    memcpy(places[param] + first, weights, (size_t)count * sizeof *weights);
    return JUDO_OK;
}

static judo_status write_weights(training *self, const char *path, float **places,
                                 judo_parity_result *results)
{
    enum { OWN = 2 };

    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    JUDO_TRY(judo_zero3_for_each_owned(self->zero, take_weights, places));
    results[0] = (judo_parity_result){"losses", self->losses, 1, {self->steps}};
    results[1] = (judo_parity_result){"norms", self->norms, 1, {self->steps}};
    for (int p = 0; p < layout->num_params; p++) {
        const judo_param *param = &layout->params[p];
        results[OWN + p] = (judo_parity_result){
            .name = param->name, .values = places[p], .num_dims = param->num_dims};
        memcpy(results[OWN + p].dims, param->dims, sizeof param->dims);
    }
    return judo_parity_write(path, results, layout->num_params + OWN);
}

static judo_status write_results(training *self, const char *path)
{
    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    size_t count = (size_t)layout->num_params;
    int64_t total = 0;
    for (size_t p = 0; p < count; p++) {
        total += layout->params[p].count;
    }
    judo_parity_result *results = calloc(count + 2, sizeof *results);
    float **places = calloc(count + 1, sizeof *places);
    float *values = calloc((size_t)total + 1, sizeof *values);
    judo_status status = results && places && values
                             ? JUDO_OK
                             : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for results");
    float *at = values;
    for (size_t p = 0; status == JUDO_OK && p < count; p++) {
        places[p] = at;
        at += layout->params[p].count;
    }
    if (status == JUDO_OK) {
        status = write_weights(self, path, places, results);
    }
    free(results);
    free(places);
    free(values);
    return status;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *folder, *input, *output;
    bool checkpoint;
    training self = {0};
    JUDO_TRY(judo_json_get_string(request, "model", source, &folder));
    JUDO_TRY(judo_json_get_string(request, "input", source, &input));
    JUDO_TRY(judo_json_get_string(request, "output", source, &output));
    JUDO_TRY(judo_json_get_bool_or(request, "checkpoint", source, false, &checkpoint));
    JUDO_TRY(read_settings(request, source, &self));
    judo_status status;
    JUDO_TRY_GOTO(status, done, open_training(folder, input, checkpoint, &self));
    JUDO_TRY_GOTO(status, done, run_steps(&self));
    JUDO_TRY_GOTO(status, done, write_results(&self, output));
    judo_json_begin_object(answer, NULL);
    judo_json_put_string(answer, "output", output);
    judo_json_end_object(answer);
done:
    free(self.losses);
    free(self.norms);
    judo_zero3_destroy(&self.zero);
    judo_comm_destroy(&self.comm);
    judo_parity_pass_close(&self.pass);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_train = {
    .name = "train",
    .summary = "optimizer steps with clipping and a schedule",
    .help = "judo_parity train: AdamW steps over the samples of a file, in their order\n\n"
            "  {\"model\": FOLDER, \"input\": SAFETENSORS, \"output\": SAFETENSORS,\n"
            "   \"checkpoint\": false, \"steps\": N, \"per_step\": samples of a step,\n"
            "   \"micro_batch\": samples of a pass, \"learning_rate\": X, \"beta1\": X,\n"
            "   \"beta2\": X, \"epsilon\": X, \"weight_decay\": X, \"clip_norm\": X,\n"
            "   \"schedule\": 0 linear|1 cosine|2 constant, \"warmup\": N,\n"
            "   \"minimum_ratio\": X}  ->  {\"output\": SAFETENSORS}\n\n"
            "Writes the weights, and losses and norms of the steps.\n",
    .run = run,
};
