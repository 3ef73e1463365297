/* tests/bench/gpu/rewards.c: all rewards of a step's completions, sentence encoder included, by
 * the device where it has scoring of its own. Run from the project's folder. */
#include "runtime/median.h"
#include "tests/bench/gpu/generation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rewards/text_embedder.h"

enum { TEXT_BYTES = 1400, TURNS = 5 };

/* Any vocabulary will do: one that is there in every clone. */
static const char TOKENIZER[] = "launch/demo/base";

/* A completion as stage 3 wants it, each another. */
static void write_text(char *out, int32_t i)
{
    static const char *const words[] = {"the surface shows", "a scratch across",
                                        "no defect in",      "the upper corner of",
                                        "a bent lead near",  "discolored metal at"};
    int length = snprintf(out, TEXT_BYTES, "<think>Image %d: ", i);
    for (int32_t k = 0; length < TEXT_BYTES - 200; k++) {
        length += snprintf(out + length, (size_t)(TEXT_BYTES - length), "%s place %d, ",
                           words[(i + k) % 6], i * 31 + k);
    }
    (void)snprintf(out + length, (size_t)(TEXT_BYTES - length),
                   "so it is %c.</think><seg>(%d,%d), (%d,%d)</seg><answer>%c</answer>",
                   'A' + i % 4, i % 16, i / 16 % 16, (i + 3) % 16, i / 8 % 16, 'A' + i % 4);
}

typedef struct scoring {
    char (*texts)[TEXT_BYTES];
    judo_completion_facts *facts;
    judo_reward_values *values;
    judo_ids *tokens;
    int32_t count;
    judo_text_embedder *encoder;
    judo_tokenizer *tokenizer;
    judo_device_scorer *scorer;
    judo_reward_rules rules;
} scoring;

static judo_status write_completion(scoring *s, int32_t i)
{
    write_text(s->texts[i], i);
    JUDO_TRY(judo_tokenizer_encode(s->tokenizer, s->texts[i], strlen(s->texts[i]), false,
                                   &s->tokens[i]));
    s->facts[i] = (judo_completion_facts){
        .text = s->texts[i],
        .length = strlen(s->texts[i]),
        .tokens = s->tokens[i].ids,
        .num_tokens = s->tokens[i].count,
        .answer = 'B',
        .cosine = NAN,
        .rationale = "The metal part has a scratch in its upper left corner.",
    };
    return JUDO_OK;
}

static void close_scoring(scoring *s)
{
    judo_text_embedder_close(&s->encoder);
    judo_device_scorer_close(&s->scorer);
    judo_tokenizer_close(&s->tokenizer);
    for (int32_t i = 0; s->tokens && i < s->count; i++) {
        judo_ids_free(&s->tokens[i]);
    }
    free(s->tokens);
    free(s->texts);
    free(s->facts);
    free(s->values);
}

static judo_status open_scoring(const bench *b, int32_t count, scoring *s)
{
    judo_reward_config config = judo_reward_config_of(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER);
    s->count = count;
    s->texts = calloc((size_t)count, sizeof *s->texts);
    s->facts = calloc((size_t)count, sizeof *s->facts);
    s->values = calloc((size_t)count, sizeof *s->values);
    s->tokens = calloc((size_t)count, sizeof *s->tokens);
    if (!s->texts || !s->facts || !s->values || !s->tokens) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for completions");
    }
    if (!b->minilm) {
        config.weights[JUDO_REWARD_DOMAIN] = 0;
    } else {
        JUDO_TRY(judo_text_embedder_open(b->minilm, JUDO_BF16, b->device, &s->encoder));
    }
    JUDO_TRY(judo_tokenizer_open(TOKENIZER, &s->tokenizer));
    JUDO_TRY(judo_device_scorer_open(b->device, s->tokenizer, &s->scorer));
    for (int32_t i = 0; i < count; i++) {
        JUDO_TRY(write_completion(s, i));
    }
    return judo_reward_rules_resolve(&config, &s->rules);
}

judo_status bench_score(const bench *b, int32_t count, double *seconds)
{
    double times[TURNS];
    scoring s = {.texts = NULL};
    judo_status status = open_scoring(b, count, &s);
    judo_embedder embedder = {.embed = NULL};
    if (s.encoder) {
        embedder = judo_text_embedder_base(s.encoder);
    }
    for (int i = -1; i < TURNS && status == JUDO_OK; i++) {
        double start = bench_now();
        status = judo_rewards_score_on(s.scorer, &s.rules, s.facts, count,
                                       s.encoder ? &embedder : NULL, s.values);
        if (i >= 0) {
            times[i] = bench_now() - start;
        }
    }
    close_scoring(&s);
    JUDO_TRY(status);
    *seconds = judo_median(times, TURNS);
    return JUDO_OK;
}

judo_status bench_rewards(bench *b, bench_result *result)
{
    double seconds = 0.0;
    if (!b->minilm && !b->small) {
        (void)snprintf(result->remark, sizeof result->remark,
                       "--minilm names no sentence encoder");
        return JUDO_OK;
    }
    JUDO_TRY(bench_score(b, b->small ? 8 : 128, &seconds));
    /* Where the step was not measured, its bound takes its place. */
    double step = b->grpo_seconds > 0.0 ? b->grpo_seconds : 6.5;
    result->measured = true;
    result->value = 100.0 * seconds / step;
    (void)snprintf(result->text, sizeof result->text, "%.3g ms, %.3g %% of a step",
                   1e3 * seconds, result->value);
    (void)snprintf(result->remark, sizeof result->remark, "read by %s; %s%s",
                   b->device->rewards ? "the device" : "the host",
                   b->minilm ? "" : "no sentence encoder; ",
                   b->grpo_seconds > 0.0 ? "of the step above" : "of a step of 6.5 s");
    return JUDO_OK;
}
