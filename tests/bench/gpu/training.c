/* tests/bench/gpu/training.c: optimizer steps on text and on samples with two pictures. */
#include "runtime/median.h"
#include "tests/bench/gpu/model.h"

#include <stdio.h>

enum { STEPS = 3 };

/* Seconds of a step of `count` batches: the median, behind one that warms up. */
static judo_status time_steps(const bench *b, bench_trainer *trainer, const judo_batch *batch,
                              int count, double *seconds)
{
    double times[STEPS];
    judo_token_loss loss = {.kind = JUDO_LOSS_NLL,
                            .scale = 1.0 / ((double)count * batch->num_targets),
                            .temperature = 1.0f,
                            .weights = batch->target_weights};
    for (int i = -1; i < STEPS; i++) {
        double start = bench_now();
        JUDO_TRY(bench_step(b, trainer, batch, count, &loss, i + 2));
        if (i >= 0) {
            times[i] = bench_now() - start;
        }
    }
    *seconds = judo_median(times, STEPS);
    return JUDO_OK;
}

/* A step of `count` sequences: its seconds, and its rate of operations. */
static judo_status training_row(bench *b, const bench_sequence *sequence, int count,
                                double *seconds, double *rate, bench_result *result)
{
    judo_qwen_config config = bench_config(b);
    judo_batch batch;
    bench_trainer trainer = {.scale = 1.0};
    judo_status status = bench_batch_create(&config, sequence, &batch);
    if (status == JUDO_OK) {
        status = bench_trainer_open(b, &batch, false, &trainer);
    }
    if (status == JUDO_OK) {
        status = time_steps(b, &trainer, &batch, count, seconds);
    }
    if (status == JUDO_OK) {
        *rate = 3.0 * count * bench_flops(&trainer.config, &batch) / *seconds * 1e-12;
        *seconds *= trainer.scale;
        (void)snprintf(result->remark, sizeof result->remark, "%d sequences a step; %s", count,
                       trainer.remark);
        result->measured = true;
    }
    bench_trainer_close(&trainer);
    bench_batch_destroy(&batch);
    return status;
}

judo_status bench_text(bench *b, bench_result *result)
{
    const int count = b->small ? 2 : 32;
    const int32_t tokens = b->small ? 40 : 2048;
    const bench_sequence sequence = {.prompt = tokens, .first_target = 1};
    double seconds = 0.0;
    double rate = 0.0;
    JUDO_TRY(training_row(b, &sequence, count, &seconds, &rate, result));
    result->value = b->step_rate = rate;
    (void)snprintf(result->text, sizeof result->text, "%.4g TFLOP/s, %.0f tokens/s", rate,
                   count * tokens / seconds);
    return JUDO_OK;
}

judo_status bench_pictures(bench *b, bench_result *result)
{
    const int count = b->small ? 2 : 32;
    const bench_sequence large = {.images = 2, .prompt = 1204, .first_target = 948};
    const bench_sequence small = {.images = 2, .prompt = 70, .first_target = 60};
    double seconds = 0.0;
    double rate = 0.0;
    JUDO_TRY(training_row(b, b->small ? &small : &large, count, &seconds, &rate, result));
    result->value = count / seconds;
    (void)snprintf(result->text, sizeof result->text, "%.3g sequences/s, %.4g TFLOP/s",
                   result->value, rate);
    return JUDO_OK;
}
