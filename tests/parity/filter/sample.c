/* tests/parity/filter/sample.c: what the sampler keeps of a row of logits and how likely it
 * draws each id, seen from outside: by the uniform numbers at which the drawn id changes. */
#include <stdlib.h>
#include <string.h>

#include "runtime/ops/ops.h"
#include "runtime/random.h"
#include "tests/parity/filter/filters.h"

enum { STEPS = 1 << 24, MOST_VOCAB = 1 << 16 }; /* uniform numbers are multiples of 2^-24 */

typedef struct sampler {
    int64_t vocab;
    float *logits, *scratch;
    uint8_t *seen, *banned;
    judo_sampling sampling;
    int32_t *counts; /* [vocab]: steps of 2^-24, or draws */
} sampler;

static judo_status draw(sampler *self, float uniform, int32_t *token)
{
    const uint8_t *seen = self->seen;
    float logprob;
    memcpy(self->scratch, self->logits, (size_t)self->vocab * sizeof *self->scratch);
    judo_tensor row = judo_tensor_2d(self->scratch, JUDO_F32, 1, self->vocab);
    return judo_ops_cpu()->sample(token, &logprob, &row, &self->sampling, &uniform,
                                  self->sampling.repetition_penalty != 1.0f ? &seen : NULL,
                                  self->banned, 1.0f);
}

/* Steps first .. last draw ids that ascend from `low` to `high`: halves until they are equal.
 */
static judo_status divide(sampler *self, int32_t first, int32_t low, int32_t last, int32_t high)
{
    while (low != high && last - first > 1) {
        int32_t middle = first + (last - first) / 2;
        int32_t token;
        JUDO_TRY(draw(self, (float)middle * 0x1p-24f, &token));
        JUDO_TRY(divide(self, first, low, middle, token));
        first = middle;
        low = token;
    }
    self->counts[low] += last - first;
    return JUDO_OK;
}

static judo_status measure(sampler *self)
{
    int32_t low, high;
    JUDO_TRY(draw(self, 0.0f, &low));
    JUDO_TRY(draw(self, (float)(STEPS - 1) * 0x1p-24f, &high));
    JUDO_TRY(divide(self, 0, low, STEPS - 1, high));
    self->counts[high]++;
    return JUDO_OK;
}

static judo_status count_draws(sampler *self, int64_t draws, uint64_t seed)
{
    for (int64_t i = 0; i < draws; i++) {
        int32_t token;
        float uniform = judo_random_uniform(seed, JUDO_STREAM_SAMPLE, 0, 0, (uint32_t)i);
        JUDO_TRY(draw(self, uniform, &token));
        self->counts[token]++;
    }
    return JUDO_OK;
}

static judo_status mark(const judo_json *request, const char *key, const char *source,
                        int64_t vocab, uint8_t *flags)
{
    const judo_json *list = judo_json_get(request, key);
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        if (id < 0 || id >= vocab) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: %s has id %lld of %lld", source, key,
                             (long long)id, (long long)vocab);
        }
        flags[id] = 1;
    }
    return JUDO_OK;
}

static judo_status read_sampling(const judo_json *request, const char *source,
                                 judo_sampling *out)
{
    double temperature, top_p, min_p, penalty;
    int64_t top_k;
    JUDO_TRY(judo_json_get_double_or(request, "temperature", source, 1.0, &temperature));
    JUDO_TRY(judo_json_get_int_or(request, "top_k", source, 0, &top_k));
    JUDO_TRY(judo_json_get_double_or(request, "top_p", source, 1.0, &top_p));
    JUDO_TRY(judo_json_get_double_or(request, "min_p", source, 0.0, &min_p));
    JUDO_TRY(judo_json_get_double_or(request, "repetition_penalty", source, 1.0, &penalty));
    *out = (judo_sampling){.temperature = (float)temperature,
                           .top_k = (int32_t)top_k,
                           .top_p = (float)top_p,
                           .min_p = (float)min_p,
                           .repetition_penalty = (float)penalty};
    return JUDO_OK;
}

static judo_status read_row(const judo_json *request, const char *source, sampler *self)
{
    const judo_json *logits = judo_json_get(request, "logits");
    self->vocab = judo_json_size(logits);
    if (self->vocab < 1 || self->vocab > MOST_VOCAB) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: logits must be 1 to %d numbers", source,
                         MOST_VOCAB);
    }
    size_t vocab = (size_t)self->vocab;
    self->logits = calloc(vocab, sizeof *self->logits);
    self->scratch = calloc(vocab, sizeof *self->scratch);
    self->counts = calloc(vocab, sizeof *self->counts);
    self->seen = calloc(vocab, 1);
    self->banned = calloc(vocab, 1);
    if (!self->logits || !self->scratch || !self->counts || !self->seen || !self->banned) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", source);
    }
    float *next = self->logits;
    for (const judo_json *item = judo_json_first(logits); item; item = judo_json_next(item)) {
        double value;
        JUDO_TRY(judo_json_as_double(item, source, &value));
        *next++ = (float)value;
    }
    JUDO_TRY(mark(request, "seen", source, self->vocab, self->seen));
    JUDO_TRY(mark(request, "banned", source, self->vocab, self->banned));
    return read_sampling(request, source, &self->sampling);
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    int64_t draws, seed;
    sampler self = {0};
    JUDO_TRY(judo_json_get_int_or(request, "draws", source, 0, &draws));
    JUDO_TRY(judo_json_get_int_or(request, "seed", source, 0, &seed));
    judo_status status;
    JUDO_TRY_GOTO(status, done, read_row(request, source, &self));
    JUDO_TRY_GOTO(status, done,
                  draws > 0 ? count_draws(&self, draws, (uint64_t)seed) : measure(&self));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, draws > 0 ? "counts" : "probabilities");
    for (int64_t i = 0; i < self.vocab; i++) {
        judo_json_put_double(answer, NULL,
                             draws > 0 ? self.counts[i] : self.counts[i] / (double)STEPS);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
done:
    free(self.logits);
    free(self.scratch);
    free(self.counts);
    free(self.seen);
    free(self.banned);
    return status;
}

static judo_status run(int argc, char **argv)
{
    const char *input = NULL;
    int count;
    const judo_option options[] = {{"input", JUDO_OPTION_STRING, &input}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 1, 0, 0, NULL, &count));
    return judo_filter_run(input, answer_request, NULL);
}

const judo_tool judo_parity_sample = {
    .name = "sample",
    .summary = "probabilities with which an id is drawn from logits",
    .help = "judo_parity sample: the sampler's filters, or its draws\n\n"
            "  {\"logits\": [..], \"seen\": [ids], \"banned\": [ids], \"temperature\": X,\n"
            "   \"top_k\": K, \"top_p\": X, \"min_p\": X, \"repetition_penalty\": X}\n"
            "  ->  {\"probabilities\": [..]}, exact to 2^-24\n"
            "  with \"draws\": N, \"seed\": S  ->  {\"counts\": [..]}\n",
    .run = run,
};
