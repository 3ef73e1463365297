/* tests/bench/gpu/grpo.c: one step of stage 3: rollout, rewards, reference, update. */
#include "tests/bench/gpu/generation.h"

#include <stdio.h>
#include <stdlib.h>

/* Shapes of a step. */
typedef struct step_shape {
    int32_t prompts, group;
    bench_sequence sequence;
} step_shape;

static step_shape shape_of(const bench *b)
{
    if (b->small) {
        return (step_shape){2, 3, {2, 60, 60, 3, 6}};
    }
    return (step_shape){8, 16, {2, BENCH_PROMPT, BENCH_PROMPT, 16, BENCH_COMPLETION}};
}

/* Seconds by phase. */
typedef struct step_times {
    double rollout, rewards, reference, update, whole;
} step_times;

/* Log-probabilities of the group under the reference, into `logprobs`. */
static judo_status score_reference(bench_trainer *t, const judo_batch *group, float *logprobs)
{
    judo_token_loss loss = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 0.8f};
    judo_token_result result = {.logprobs = logprobs};
    return judo_model_run(t->model, judo_zero3_params(t->reference), group, &loss, false,
                          &result);
}

typedef struct grpo_buffers {
    float *reference, *advantages;
} grpo_buffers;

static judo_status update(const bench *b, bench_trainer *t, const step_shape *shape,
                          const judo_batch *group, const grpo_buffers *buffers, int64_t step)
{
    judo_token_loss loss = {.kind = JUDO_LOSS_POLICY,
                            .scale = 1.0 / ((double)shape->prompts * group->num_targets),
                            .temperature = 0.8f,
                            .weights = group->target_weights,
                            .advantages = buffers->advantages,
                            .ref_logprobs = buffers->reference,
                            .clip_low = 0.2f,
                            .clip_high = 0.2f,
                            .kl_beta = 0.04f};
    return bench_step(b, t, group, shape->prompts, &loss, step);
}

/* One prompt after the other draws: a call for all would need their activations at once. */
static judo_status roll_out(const bench *b, bench_trainer *t, const step_shape *shape,
                            const judo_batch *prompts)
{
    double seconds = 0.0;
    judo_params *weights = NULL;
    JUDO_TRY(judo_zero3_gather_resident(t->zero3, &weights));
    judo_status status = bench_generate(t->model, weights, prompts, shape->group,
                                        shape->sequence.completion, &seconds);
    judo_zero3_release_resident(t->zero3);
    JUDO_TRY(status);
    return b->device->stream_finish(NULL);
}

static judo_status run_step(const bench *b, bench_trainer *t, const step_shape *shape,
                            const judo_batch *prompts, const judo_batch *group,
                            const grpo_buffers *buffers, int64_t step, step_times *out)
{
    double at[5];
    at[0] = bench_now();
    JUDO_TRY(roll_out(b, t, shape, prompts));
    at[1] = bench_now();
    JUDO_TRY(bench_score(b, shape->prompts * shape->group, &out->rewards));
    at[2] = bench_now();
    for (int32_t i = 0; i < shape->prompts; i++) {
        JUDO_TRY(score_reference(t, group, buffers->reference));
    }
    at[3] = bench_now();
    JUDO_TRY(update(b, t, shape, group, buffers, step));
    at[4] = bench_now();
    out->rollout = at[1] - at[0];
    out->reference = at[3] - at[2];
    out->update = at[4] - at[3];
    out->whole = out->rollout + out->rewards + out->reference + out->update;
    return JUDO_OK;
}

/* The second of two steps: the first warms up. */
static judo_status measure(const bench *b, const step_shape *shape, const judo_batch *prompts,
                           const judo_batch *group, const grpo_buffers *buffers,
                           step_times *times, bench_result *result)
{
    bench_trainer t = {.scale = 1.0};
    judo_status status = bench_trainer_open(b, group, true, &t);
    for (int64_t step = 1; step <= 2 && status == JUDO_OK; step++) {
        status = run_step(b, &t, shape, prompts, group, buffers, step, times);
    }
    if (status == JUDO_OK) {
        result->value = times->whole * t.scale;
        (void)snprintf(result->remark, sizeof result->remark,
                       "rollout %.3g, rewards %.3g, reference %.3g, update %.3g s; %s",
                       times->rollout, times->rewards, times->reference, times->update,
                       t.remark);
    }
    bench_trainer_close(&t);
    return status;
}

judo_status bench_grpo(bench *b, bench_result *result)
{
    const step_shape shape = shape_of(b);
    const judo_qwen_config config = bench_config(b);
    judo_batch prompts;
    judo_batch group;
    step_times times = {.whole = 0.0};
    judo_status status = bench_prompts_create(&config, shape.sequence.images,
                                              shape.sequence.prompt, shape.prompts, &prompts);
    judo_status built = bench_batch_create(&config, &shape.sequence, &group);
    grpo_buffers buffers = {calloc((size_t)group.num_targets + 1, sizeof(float)),
                            calloc((size_t)group.num_targets + 1, sizeof(float))};
    status = status == JUDO_OK ? built : status;
    if (status == JUDO_OK && (!buffers.reference || !buffers.advantages)) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a step's lists");
    }
    for (int32_t i = 0; i < group.num_targets && status == JUDO_OK; i++) {
        buffers.advantages[i] = group.target_sequences[i] % 2 == 0 ? 1.0f : -1.0f;
    }
    if (status == JUDO_OK) {
        status = measure(b, &shape, &prompts, &group, &buffers, &times, result);
    }
    free(buffers.reference);
    free(buffers.advantages);
    bench_batch_destroy(&prompts);
    bench_batch_destroy(&group);
    JUDO_TRY(status);
    result->measured = true;
    b->grpo_seconds = result->value;
    (void)snprintf(result->text, sizeof result->text, "%.3g s", result->value);
    return JUDO_OK;
}
