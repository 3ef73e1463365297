/* tests/bench/gpu/trainer.c: a model in training with as many of its layers as fit; see
 * model.h. */
#include "tests/bench/gpu/model.h"

#include <stdio.h>
#include <string.h>

/* How fp32 AdamW's numbers are kept, in the order of preference: 18, 16 and 14 bytes a weight.
 */
static const struct {
    const char *name;
    judo_zero3_options options;
} keepings[] = {
    {"fp32 masters and gradients", {.compute_dtype = JUDO_BF16}},
    {"split masters", {.compute_dtype = JUDO_BF16, .split_master = true}},
    {"split masters, gradients kept in bf16",
     {.compute_dtype = JUDO_BF16, .split_master = true, .gradient_storage = JUDO_BF16}},
};

enum { NUM_KEEPINGS = sizeof keepings / sizeof keepings[0] };

static const judo_zero3_options frozen = {.frozen = true, .compute_dtype = JUDO_BF16};

static judo_model_options options_for(const judo_batch *largest, judo_recompute recompute)
{
    return (judo_model_options){.recompute = recompute,
                                .dtype = JUDO_BF16,
                                .max_tokens = largest->num_tokens,
                                .max_patches = largest->num_patches,
                                .max_targets = largest->num_targets};
}

static judo_status bytes_of(const judo_qwen_config *config, const judo_device *device,
                            const judo_model_options *options,
                            const judo_zero3_options *trained, bool with_reference,
                            int64_t *out)
{
    judo_param_layout *layout = NULL;
    judo_zero3_bytes own;
    judo_zero3_bytes other = {.total = 0};
    JUDO_TRY(judo_model_plan(config, device, options, out));
    JUDO_TRY(judo_qwen_layout_create(config, &options->freeze, &layout));
    judo_status status = judo_zero3_plan(layout, 1, trained, &own);
    if (status == JUDO_OK && with_reference) {
        status = judo_zero3_plan(layout, 1, &frozen, &other);
    }
    judo_qwen_layout_destroy(&layout);
    JUDO_TRY(status);
    *out += own.total + other.total;
    return JUDO_OK;
}

/* What a trainer of `t->config` is made with. */
typedef struct trainer_plan {
    judo_model_options model;
    judo_zero3_options trained;
    int64_t bytes;
} trainer_plan;

/* The first way to train these layers in `room` bytes, if there is one: rather than keep
 * numbers in fewer bytes it recomputes. */
static judo_status fit_layers(const bench *b, const judo_batch *largest, bool with_reference,
                              int64_t room, bench_trainer *t, trainer_plan *plan, bool *found)
{
    const int ways = JUDO_RECOMPUTE_UNIT + 1;
    for (int i = 0; i < NUM_KEEPINGS * ways; i++) {
        plan->trained = keepings[i / ways].options;
        plan->model = options_for(largest, (judo_recompute)(i % ways));
        JUDO_TRY(bytes_of(&t->config, b->device, &plan->model, &plan->trained, with_reference,
                          &plan->bytes));
        *found = plan->bytes <= room;
        if (*found) {
            (void)snprintf(t->remark, sizeof t->remark, "%s, %s recomputed",
                           keepings[i / ways].name,
                           judo_recompute_name((judo_recompute)(i % ways)));
            return JUDO_OK;
        }
    }
    return JUDO_OK;
}

/* Leaves a little over for the backend's own work memory; drops layers from the end until what
 * is left fits. */
static judo_status fit(const bench *b, const judo_batch *largest, bool with_reference,
                       bench_trainer *t, trainer_plan *plan)
{
    int64_t available = 0;
    int64_t total = 0;
    int64_t reserve = b->small ? 0 : (int64_t)6 << 30;
    const judo_qwen_config whole = bench_config(b);
    JUDO_TRY(b->device->memory(&available, &total));
    for (t->config = whole; t->config.text.num_layers > 0; t->config.text.num_layers--) {
        bool found = false;
        JUDO_TRY(fit_layers(b, largest, with_reference, available - reserve, t, plan, &found));
        if (found) {
            size_t length = strlen(t->remark);
            t->scale = bench_flops(&whole, largest) / bench_flops(&t->config, largest);
            (void)snprintf(t->remark + length, sizeof t->remark - length,
                           ", %lld of %lld layers, %.0f of %.0f GB planned",
                           (long long)t->config.text.num_layers,
                           (long long)whole.text.num_layers, 1e-9 * (double)plan->bytes,
                           1e-9 * (double)total);
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_MEMORY, "not one layer fits: %.1f GB are free",
                     1e-9 * (double)available);
}

judo_status bench_trainer_open(const bench *b, const judo_batch *largest, bool with_reference,
                               bench_trainer *out)
{
    trainer_plan plan;
    judo_weight_source weights = bench_weights();
    *out = (bench_trainer){.scale = 1.0};
    JUDO_TRY(fit(b, largest, with_reference, out, &plan));
    JUDO_TRY(judo_comm_self_create(&out->comm));
    JUDO_TRY(judo_model_create(&out->config, b->device, &plan.model, &out->model));
    const judo_param_layout *layout = judo_model_layout(out->model);
    JUDO_TRY(judo_zero3_create(out->comm, layout, b->device, &plan.trained, &out->zero3));
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
