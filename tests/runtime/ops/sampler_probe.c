/* tests/runtime/ops/sampler_probe.c: draws with chosen uniform numbers. */
#include "tests/runtime/ops/sampler_probe.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 1 << 24, MOST_VOCAB = 1 << 16 }; /* uniform numbers are multiples of 2^-24 */

judo_status sampler_probe_draw(sampler_probe *self, float uniform, int32_t *token)
{
    judo_draw drawn = {.token = JUDO_NO_TOKEN};
    const judo_draw_row of_row = {.uniform = uniform};
    judo_tensor row = judo_tensor_2d(self->scratch, JUDO_F32, 1, self->vocab);
    bool penalised = self->sampling.repetition_penalty != 1.0f;
    judo_draw_memory memory = {.draws = &drawn,
                               .num_draws = 1,
                               .seen = penalised ? self->marks : NULL,
                               .num_seen = 1,
                               .banned = self->banned};
    memcpy(self->scratch, self->logits, (size_t)self->vocab * sizeof *self->scratch);
    memcpy(self->marks, self->seen, (size_t)self->vocab);
    JUDO_TRY(self->ops->sample(&memory, &row, &of_row, &self->sampling, 1.0f));
    if (drawn.token == JUDO_NO_TOKEN) {
        return JUDO_FAIL(JUDO_ERROR_NUMERIC, "nothing can be drawn from these logits");
    }
    *token = drawn.token;
    return JUDO_OK;
}

/* Steps first .. last draw ids that ascend from `low` to `high`: halves until they are equal.
 */
static judo_status divide(sampler_probe *self, int32_t first, int32_t low, int32_t last,
                          int32_t high, double *probabilities)
{
    while (low != high && last - first > 1) {
        int32_t middle = first + (last - first) / 2;
        int32_t token;
        JUDO_TRY(sampler_probe_draw(self, (float)middle * 0x1p-24f, &token));
        JUDO_TRY(divide(self, first, low, middle, token, probabilities));
        first = middle;
        low = token;
    }
    probabilities[low] += (last - first) * 0x1p-24;
    return JUDO_OK;
}

judo_status sampler_probe_measure(sampler_probe *self, double *probabilities)
{
    int32_t low, high;
    memset(probabilities, 0, (size_t)self->vocab * sizeof *probabilities);
    JUDO_TRY(sampler_probe_draw(self, 0.0f, &low));
    JUDO_TRY(sampler_probe_draw(self, (float)(STEPS - 1) * 0x1p-24f, &high));
    JUDO_TRY(divide(self, 0, low, STEPS - 1, high, probabilities));
    probabilities[high] += 0x1p-24;
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

judo_status sampler_probe_read(const judo_json *request, const char *source,
                               const judo_ops *ops, sampler_probe *self)
{
    *self = (sampler_probe){.ops = ops};
    const judo_json *logits = judo_json_get(request, "logits");
    self->vocab = judo_json_size(logits);
    if (self->vocab < 1 || self->vocab > MOST_VOCAB) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: logits must be 1 to %d numbers", source,
                         MOST_VOCAB);
    }
    size_t vocab = (size_t)self->vocab;
    self->logits = calloc(vocab, sizeof *self->logits);
    self->scratch = calloc(vocab, sizeof *self->scratch);
    self->seen = calloc(vocab, 1);
    self->marks = calloc(vocab, 1);
    self->banned = calloc(vocab, 1);
    if (!self->logits || !self->scratch || !self->seen || !self->marks || !self->banned) {
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

void sampler_probe_close(sampler_probe *self)
{
    free(self->logits);
    free(self->scratch);
    free(self->seen);
    free(self->marks);
    free(self->banned);
    *self = (sampler_probe){0};
}
