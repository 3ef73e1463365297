/* tests/parity/filter/gradients.c: logits, loss and every weight's gradient of one batch. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/dtype_choice.h"
#include "tests/parity/filter/filters.h"
#include "tests/parity/filter/pass.h"

typedef struct gradients {
    judo_parity_pass pass;
    judo_dtype dtype;
    judo_local_params *params;
    judo_batch batch;
    float *logits;   /* [num_tokens, vocabulary] */
    float *values;   /* the gradients of all units, one after the other */
    float *logprobs; /* [num_targets] */
    float loss;
} gradients;

static judo_status load(const char *folder, gradients *self)
{
    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    judo_weight_source source = {0};
    JUDO_TRY(judo_local_params_create(layout, judo_model_device(self->pass.model), self->dtype,
                                      true, &self->params));
    JUDO_TRY(judo_model_source_open(folder, layout, &source));
    judo_status status = judo_local_params_load(self->params, &source);
    judo_model_source_close(&source);
    return status;
}

/* Logits of all rows, by the product that the head uses; `hidden` and `logits` are the
 * device's.
 */
static judo_status multiply_head(gradients *self, judo_tensor *hidden, judo_tensor *logits,
                                 const int32_t *rows)
{
    judo_model *model = self->pass.model;
    const judo_device *device = judo_model_device(model);
    judo_params *params = judo_local_params_base(self->params);
    int unit = judo_model_head_unit(model);
    judo_unit_view view = {.layout = judo_model_layout(model), .unit = unit};
    JUDO_TRY(judo_model_prefill(model, params, &self->batch, NULL, rows, self->batch.num_tokens,
                                hidden));
    JUDO_TRY(params->ops->acquire(params, unit, -1, &view.weights));
    judo_tensor head = judo_model_head_matrix(model, &view);
    JUDO_TRY(device->ops->linear_forward(logits, hidden, &head, NULL));
    JUDO_TRY(device->copy(self->logits, logits->data,
                          judo_tensor_count(logits) * (int64_t)sizeof(float), NULL));
    return device->stream_finish(NULL);
}

static judo_status compute_logits(gradients *self)
{
    const judo_device *device = judo_model_device(self->pass.model);
    int64_t width = self->pass.config.text.hidden_size;
    int64_t vocab = self->pass.config.text.vocab_size;
    int32_t rows = self->batch.num_tokens;
    int32_t *all = calloc((size_t)rows + 1, sizeof *all);
    void *hidden = NULL;
    void *logits = NULL;
    self->logits = calloc((size_t)(rows * vocab) + 1, sizeof *self->logits);
    judo_status status =
        all && self->logits ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for logits");
    JUDO_TRY_GOTO(status, done,
                  device->allocate(&hidden, rows * width * judo_dtype_bytes(self->dtype)));
    JUDO_TRY_GOTO(status, done,
                  device->allocate(&logits, rows * vocab * (int64_t)sizeof(float)));
    for (int32_t i = 0; i < rows; i++) {
        all[i] = i;
    }
    judo_tensor from = judo_tensor_2d(hidden, self->dtype, rows, width);
    judo_tensor to = judo_tensor_2d(logits, JUDO_F32, rows, vocab);
    status = multiply_head(self, &from, &to, all);
done:
    free(all);
    device->release(hidden);
    device->release(logits);
    return status;
}

/* To the host. */
static judo_status fetch_gradients(gradients *self)
{
    const judo_device *device = judo_model_device(self->pass.model);
    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    int64_t count = 0;
    for (int u = 0; u < layout->num_units; u++) {
        count += layout->units[u].count;
    }
    self->values = calloc((size_t)count + 1, sizeof *self->values);
    if (self->values == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for gradients");
    }
    float *at = self->values;
    for (int u = 0; u < layout->num_units; u++) {
        int64_t bytes = layout->units[u].count * (int64_t)sizeof(float);
        JUDO_TRY(device->copy(at, judo_local_params_gradient(self->params, u), bytes, NULL));
        at += layout->units[u].count;
    }
    return device->stream_finish(NULL);
}

/* The mean, by weight, of -log p over the targets, and its gradients. */
static judo_status compute_gradients(gradients *self)
{
    double total = 0.0;
    for (int32_t i = 0; i < self->batch.num_targets; i++) {
        total += (double)self->batch.target_weights[i];
    }
    self->logprobs = calloc((size_t)self->batch.num_targets + 1, sizeof *self->logprobs);
    if (self->logprobs == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for log-probabilities");
    }
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NLL, .scale = total > 0.0 ? 1.0 / total : 0.0, .temperature = 1.0f};
    judo_token_result result = {.logprobs = self->logprobs};
    JUDO_TRY(judo_model_run(self->pass.model, judo_local_params_base(self->params),
                            &self->batch, &loss, true, &result));
    self->loss = (float)result.loss;
    return JUDO_OK;
}

static judo_status write_results(const gradients *self, const char *path)
{
    enum { OWN = 3 };

    const judo_param_layout *layout = judo_model_layout(self->pass.model);
    size_t count = (size_t)layout->num_params + OWN;
    judo_parity_result *results = calloc(count, sizeof *results);
    char(*names)[JUDO_NAME_BYTES + 8] = calloc(count, sizeof *names);
    judo_status status = results && names ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory");
    if (status == JUDO_OK) {
        results[0] =
            (judo_parity_result){"logits",
                                 self->logits,
                                 2,
                                 {self->batch.num_tokens, self->pass.config.text.vocab_size}};
        results[1] =
            (judo_parity_result){"logprobs", self->logprobs, 1, {self->batch.num_targets}};
        results[2] = (judo_parity_result){"loss", &self->loss, 1, {1}};
        const float *base = self->values;
        for (int u = 0; u < layout->num_units; base += layout->units[u++].count) {
            const judo_unit *unit = &layout->units[u];
            for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
                const judo_param *param = &layout->params[p];
                (void)snprintf(names[p], sizeof names[p], "grad.%s", param->name);
                judo_parity_result *r = &results[OWN + p];
                *r = (judo_parity_result){.name = names[p],
                                          .values = base + param->offset,
                                          .num_dims = param->num_dims};
                for (int d = 0; d < param->num_dims; d++) {
                    r->dims[d] = param->dims[d];
                }
            }
        }
        status = judo_parity_write(path, results, (int)count);
    }
    free(results);
    free(names);
    return status;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *folder, *input, *output, *dtype;
    bool shared, checkpoint;
    gradients self = {0};
    JUDO_TRY(judo_json_get_string(request, "model", source, &folder));
    JUDO_TRY(judo_json_get_string(request, "input", source, &input));
    JUDO_TRY(judo_json_get_string(request, "output", source, &output));
    JUDO_TRY(judo_json_get_bool_or(request, "shared", source, false, &shared));
    JUDO_TRY(judo_json_get_bool_or(request, "checkpoint", source, false, &checkpoint));
    JUDO_TRY(judo_json_get_string_or(request, "dtype", source, "f32", &dtype));
    JUDO_TRY(judo_dtype_parse(dtype, "dtype", &self.dtype));
    judo_status status;
    JUDO_TRY_GOTO(status, done,
                  judo_parity_pass_open_in(folder, input, checkpoint, self.dtype, &self.pass));
    JUDO_TRY_GOTO(status, done, load(folder, &self));
    JUDO_TRY_GOTO(status, done,
                  judo_parity_pack(&self.pass.samples, 0, self.pass.samples.count, shared,
                                   self.pass.builder, &self.batch));
    JUDO_TRY_GOTO(status, done, compute_logits(&self));
    JUDO_TRY_GOTO(status, done, compute_gradients(&self));
    JUDO_TRY_GOTO(status, done, fetch_gradients(&self));
    JUDO_TRY_GOTO(status, done, write_results(&self, output));
    judo_json_begin_object(answer, NULL);
    judo_json_put_float(answer, "loss", self.loss);
    judo_json_end_object(answer);
done:
    free(self.logits);
    free(self.values);
    free(self.logprobs);
    judo_local_params_destroy(&self.params);
    judo_parity_pass_close(&self.pass);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_gradients = {
    .name = "gradients",
    .summary = "logits, loss and gradients of a batch",
    .help = "judo_parity gradients: one training pass over a batch\n\n"
            "  {\"model\": FOLDER, \"input\": SAFETENSORS, \"output\": SAFETENSORS,\n"
            "   \"shared\": the first sequence is the prompt of the others (default false),\n"
            "   \"checkpoint\": recompute activations (default false),\n"
            "   \"dtype\": f32 or bf16 (default f32)}  ->  {\"loss\": L}\n\n"
            "Writes logits, logprobs, loss and grad.NAME for every weight NAME. The loss is\n"
            "the mean, by weight, of -log p over the targets.\n",
    .run = run,
};
