/* tests/bench/gpu/model.h: what the rows of whole models share: the shape of the 7B model, its
 * weights, batches, and a trainer of as many layers as the device's memory holds. */
#ifndef JUDO_TESTS_BENCH_GPU_MODEL_H
#define JUDO_TESTS_BENCH_GPU_MODEL_H

#include "models/qwen25vl.h"
#include "parallel/zero3.h"
#include "tests/bench/gpu/bench.h"

/* Qwen2.5-VL-7B, or a model of the same parts that any device runs in a moment. */
judo_qwen_config bench_config(const bench *b);
/* Numbers of a model's magnitude, made faster than random ones. */
judo_weight_source bench_weights(void);

/* One sequence: a prompt with pictures of 504 x 504 in it and, behind it, completions that
 * share it. Targets are the prompt's tokens from `first_target` on and all of the completions.
 */
typedef struct bench_sequence {
    int32_t images, prompt, first_target, completions, completion;
} bench_sequence;

/* The sequence as a packed batch in memory of its own; free with bench_batch_destroy, also
 * after a failure. */
judo_status bench_batch_create(const judo_qwen_config *config, const bench_sequence *sequence,
                               judo_batch *out) JUDO_MUST_CHECK;
void bench_batch_destroy(judo_batch *batch);

/* Floating-point operations of a forward pass, as spec'd for utilisation: products of weights
 * and attention, nothing that is recomputed. A backward pass has twice as many. */
double bench_flops(const judo_qwen_config *config, const judo_batch *batch);
/* Pairs of a query and a key that spans have, of one head. */
double bench_attention_pairs(const judo_attention_span *spans, int num_spans);

typedef struct bench_trainer {
    judo_qwen_config config;
    judo_comm *comm;
    judo_model *model;
    judo_zero3 *zero3;
    judo_zero3 *reference; /* or NULL */
    double scale;          /* work of the whole model over that of the layers that fit */
    char remark[BENCH_TEXT];
} bench_trainer;

/* A model for batches like this one with fp32 AdamW, whose numbers are kept in as few bytes as
 * it takes to hold all layers; with a frozen reference beside it if asked. Free with
 * bench_trainer_close, also after a failure. */
judo_status bench_trainer_open(const bench *b, const judo_batch *largest, bool with_reference,
                               bench_trainer *out) JUDO_MUST_CHECK;
void bench_trainer_close(bench_trainer *trainer);

/* An optimizer step over `count` micro-batches with this loss; the device has finished when it
 * returns. */
judo_status bench_step(const bench *b, bench_trainer *trainer, const judo_batch *batch,
                       int count, const judo_token_loss *loss, int64_t step) JUDO_MUST_CHECK;

#endif
