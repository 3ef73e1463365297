/* tests/bench/gpu/generation.h: what the rows that generate share. */
#ifndef JUDO_TESTS_BENCH_GPU_GENERATION_H
#define JUDO_TESTS_BENCH_GPU_GENERATION_H

#include "models/generate.h"
#include "tests/bench/gpu/model.h"

enum { BENCH_PROMPT = 948, BENCH_COMPLETION = 256, BENCH_MOST_PROMPTS = 64 };

/* `count` equal prompts, each a causal span, with `images` pictures each; free with
 * bench_batch_destroy, also after a failure. */
judo_status bench_prompts_create(const judo_qwen_config *config, int32_t images, int32_t tokens,
                                 int32_t count, judo_batch *out) JUDO_MUST_CHECK;

/* One call that draws all completions to their full length. */
judo_status bench_generate(judo_model *model, judo_params *params, const judo_batch *prompts,
                           int32_t per_prompt, int32_t new_tokens,
                           double *seconds) JUDO_MUST_CHECK;

/* Seconds of the rewards of `count` completions of about 256 tokens, the best of some turns;
 * with the sentence encoder if b names it. */
judo_status bench_score(const bench *b, int32_t count, double *seconds) JUDO_MUST_CHECK;

#endif
