/* tests/runtime/ops/sampler_probe.h: the probabilities of a sampler, seen from outside. */
#ifndef JUDO_TESTS_RUNTIME_OPS_SAMPLER_PROBE_H
#define JUDO_TESTS_RUNTIME_OPS_SAMPLER_PROBE_H

#include "runtime/json.h"
#include "runtime/ops/ops.h"

/* A row of logits and how to draw from it. */
typedef struct sampler_probe {
    const judo_ops *ops;
    int64_t vocab;
    float *logits, *scratch;        /* as asked, and for a draw to destroy */
    uint8_t *seen, *marks, *banned; /* marks: seen, for a draw to add to */
    judo_sampling sampling;
} sampler_probe;

/* Reads {"logits": [..], "seen": [ids], "banned": [ids], "temperature": X, "top_k": K,
 * "top_p": X, "min_p": X, "repetition_penalty": X}; all but the logits may be absent. Free with
 * close, also after a failure. */
judo_status sampler_probe_read(const judo_json *request, const char *source,
                               const judo_ops *ops, sampler_probe *out) JUDO_MUST_CHECK;
void sampler_probe_close(sampler_probe *probe);

/* The id drawn with a uniform number of [0, 1). */
judo_status sampler_probe_draw(sampler_probe *probe, float uniform,
                               int32_t *token) JUDO_MUST_CHECK;

/* probabilities[vocab], exact to 2^-24: ids are drawn in ascending order of the uniform number,
 * and halving finds where each begins. */
judo_status sampler_probe_measure(sampler_probe *probe, double *probabilities) JUDO_MUST_CHECK;

#endif
