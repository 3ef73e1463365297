/* tests/bench/gpu/trainer.c: a model in training with as many of its layers as fit; see
 * model.h. */
#include "tests/bench/gpu/model.h"

#include <stdio.h>

/* One rank holds everything; weights are computed with in bf16. */
static judo_zero3_options sharding(bool frozen)
{
    return (judo_zero3_options){
        .frozen = frozen, .compute_dtype = JUDO_BF16, .gradient_dtype = JUDO_F32};
}

static judo_model_options options_for(const judo_batch *largest, judo_recompute recompute)
{
    return (judo_model_options){.recompute = recompute,
                                .dtype = JUDO_BF16,
                                .max_tokens = largest->num_tokens,
                                .max_patches = largest->num_patches,
                                .max_targets = largest->num_targets};
}

static judo_status bytes_of(const judo_qwen_config *config, const judo_device *device,
                            const judo_model_options *options, bool with_reference,
                            int64_t *out)
{
    judo_param_layout *layout = NULL;
    judo_zero3_bytes own;
    judo_zero3_bytes other = {.total = 0};
    judo_zero3_options trained = sharding(false);
    judo_zero3_options frozen = sharding(true);
    JUDO_TRY(judo_model_plan(config, device, options, out));
    JUDO_TRY(judo_qwen_layout_create(config, &options->freeze, &layout));
    judo_status status = judo_zero3_plan(layout, 1, &trained, &own);
    if (status == JUDO_OK && with_reference) {
        status = judo_zero3_plan(layout, 1, &frozen, &other);
    }
    judo_qwen_layout_destroy(&layout);
    JUDO_TRY(status);
    *out += own.total + other.total;
    return JUDO_OK;
}

static const char *const recomputed[] = {
    "nothing recomputed", "norms and activations recomputed", "blocks recomputed"};

/* Drops layers from the end until the plan leaves a little over for the backend's own work
 * memory; keeps all activations if that costs no layer. */
static judo_status fit(const bench *b, const judo_batch *largest, bool with_reference,
                       bench_trainer *t, judo_model_options *options)
{
    int64_t available = 0;
    int64_t total = 0;
    int64_t bytes = 0;
    int64_t reserve = b->small ? 0 : (int64_t)6 << 30;
    const judo_qwen_config whole = bench_config(b);
    JUDO_TRY(b->device->memory(&available, &total));
    for (t->config = whole; t->config.text.num_layers > 0; t->config.text.num_layers--) {
        for (int r = JUDO_RECOMPUTE_NOTHING; r <= JUDO_RECOMPUTE_UNIT; r++) {
            *options = options_for(largest, (judo_recompute)r);
            JUDO_TRY(bytes_of(&t->config, b->device, options, with_reference, &bytes));
            if (bytes + reserve <= available) {
                t->scale = bench_flops(&whole, largest) / bench_flops(&t->config, largest);
                (void)snprintf(t->remark, sizeof t->remark,
                               "%lld of %lld layers, %s, %.0f of %.0f GB planned",
                               (long long)t->config.text.num_layers,
                               (long long)whole.text.num_layers, recomputed[r],
                               1e-9 * (double)bytes, 1e-9 * (double)total);
                return JUDO_OK;
            }
        }
    }
    return JUDO_FAIL(JUDO_ERROR_MEMORY, "not one layer fits: %.1f GB are free",
                     1e-9 * (double)available);
}

judo_status bench_trainer_open(const bench *b, const judo_batch *largest, bool with_reference,
                               bench_trainer *out)
{
    judo_model_options options;
    judo_zero3_options trained = sharding(false);
    judo_zero3_options frozen = sharding(true);
    judo_weight_source weights = bench_weights();
    *out = (bench_trainer){.scale = 1.0};
    JUDO_TRY(fit(b, largest, with_reference, out, &options));
    JUDO_TRY(judo_comm_self_create(&out->comm));
    JUDO_TRY(judo_model_create(&out->config, b->device, &options, &out->model));
    const judo_param_layout *layout = judo_model_layout(out->model);
    JUDO_TRY(judo_zero3_create(out->comm, layout, b->device, &trained, &out->zero3));
    if (!b->unreal) {
        JUDO_TRY(judo_zero3_load(out->zero3, &weights));
    }
    if (with_reference) {
        JUDO_TRY(judo_zero3_create(out->comm, layout, b->device, &frozen, &out->reference));
        if (!b->unreal) {
            JUDO_TRY(judo_zero3_load(out->reference, &weights));
        }
    }
    return JUDO_OK;
}

void bench_trainer_close(bench_trainer *trainer)
{
    judo_zero3_destroy(&trainer->reference);
    judo_zero3_destroy(&trainer->zero3);
    judo_model_destroy(&trainer->model);
    judo_comm_destroy(&trainer->comm);
}

judo_status bench_step(const bench *b, bench_trainer *trainer, const judo_batch *batch,
                       int count, const judo_token_loss *loss, int64_t step)
{
    judo_adamw adamw = {.learning_rate = 1e-6,
                        .beta1 = 0.9,
                        .beta2 = 0.999,
                        .epsilon = 1e-8,
                        .step = step,
                        .gradient_scale = 1.0f};
    judo_zero3_update update;
    judo_token_result result = {.logprobs = NULL};
    JUDO_TRY(judo_zero3_zero_gradients(trainer->zero3));
    for (int i = 0; i < count; i++) {
        JUDO_TRY(judo_model_run(trainer->model, judo_zero3_params(trainer->zero3), batch, loss,
                                true, &result));
    }
    JUDO_TRY(judo_zero3_step(trainer->zero3, &adamw, 1.0, &update));
    if (!update.applied) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "the gradient of a step is not finite");
    }
    return b->device->stream_finish(NULL);
}
