/* models/generate.h: completions of prompts by the model whose weights `params` holds whole (no
 * collective inside). */
#ifndef JUDO_MODELS_GENERATE_H
#define JUDO_MODELS_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "models/qwen25vl.h"
#include "runtime/batch.h"
#include "runtime/ops/ops.h"
#include "runtime/params.h"

typedef struct judo_generate_options {
    judo_sampling sampling;
    int32_t max_new_tokens;
    const int32_t *stop_tokens; /* a completion ends with the first of these, inclusive */
    int32_t num_stop_tokens;
    const uint8_t *banned; /* [vocabulary] ids never drawn, or NULL */
    uint64_t seed;
    float logprob_temperature; /* of the recorded log-probabilities */
} judo_generate_options;

/* Completions of `num_prompts * per_prompt` rows, row = prompt * per_prompt + k. Owned by the
 * caller. */
typedef struct judo_generation {
    int32_t num_rows, max_new_tokens;
    int32_t *tokens;  /* [num_rows, max_new_tokens] */
    int32_t *lengths; /* [num_rows], stop token included */
    float *logprobs;  /* [num_rows, max_new_tokens], of the drawn tokens */
    bool *stopped;    /* [num_rows]: ended by a stop token, not by the limit */
} judo_generation;

judo_status judo_generation_create(int32_t num_rows, int32_t max_new_tokens,
                                   judo_generation *out) JUDO_MUST_CHECK;
void judo_generation_free(judo_generation *generation);

/* Bytes that judo_generate takes while it runs, for `num_rows` completions of up to
 * `max_new_tokens` of prompts of `prompt_tokens` tokens together; `penalised`: with a
 * repetition penalty. */
int64_t judo_generate_bytes(const judo_model *model, int64_t prompt_tokens, int32_t num_rows,
                            int32_t max_new_tokens, bool penalised);

/* Computes each prompt once and draws `per_prompt` completions of it in one batch; finished
 * rows leave the batch. `prompts` is a packed batch whose span i is prompt i (causal, no
 * prefix). The random number of row (i, k) at position t is a pure function of (options->seed,
 * keys[i], k, t). `generation` was created for the right number of rows. Not collective:
 * `params` must be local. */
judo_status judo_generate(judo_model *model, judo_params *params, const judo_batch *prompts,
                          const uint64_t *keys, int32_t per_prompt,
                          const judo_generate_options *options,
                          judo_generation *generation) JUDO_MUST_CHECK;

#endif
