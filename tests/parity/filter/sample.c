/* tests/parity/filter/sample.c: what the sampler keeps of a row of logits and how likely it
 * draws each id. */
#include <stdlib.h>

#include "runtime/random.h"
#include "tests/parity/filter/filters.h"
#include "tests/runtime/ops/sampler_probe.h"

static judo_status count_draws(sampler_probe *probe, int64_t draws, uint64_t seed,
                               double *counts)
{
    for (int64_t i = 0; i < draws; i++) {
        int32_t token;
        float uniform = judo_random_uniform(seed, JUDO_STREAM_SAMPLE, 0, 0, (uint32_t)i);
        JUDO_TRY(sampler_probe_draw(probe, uniform, &token));
        counts[token]++;
    }
    return JUDO_OK;
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    int64_t draws, seed;
    sampler_probe probe;
    double *values = NULL;
    JUDO_TRY(judo_json_get_int_or(request, "draws", source, 0, &draws));
    JUDO_TRY(judo_json_get_int_or(request, "seed", source, 0, &seed));
    judo_status status;
    JUDO_TRY_GOTO(status, done, sampler_probe_read(request, source, judo_ops_cpu(), &probe));
    values = calloc((size_t)probe.vocab, sizeof *values);
    JUDO_TRY_GOTO(status, done,
                  values ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", source));
    JUDO_TRY_GOTO(status, done,
                  draws > 0 ? count_draws(&probe, draws, (uint64_t)seed, values)
                            : sampler_probe_measure(&probe, values));
    judo_json_begin_object(answer, NULL);
    judo_json_begin_array(answer, draws > 0 ? "counts" : "probabilities");
    for (int64_t i = 0; i < probe.vocab; i++) {
        judo_json_put_double(answer, NULL, values[i]);
    }
    judo_json_end_array(answer);
    judo_json_end_object(answer);
done:
    free(values);
    sampler_probe_close(&probe);
    return status;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
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
