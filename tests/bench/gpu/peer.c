/* tests/bench/gpu/peer.c: judo's rows over what peer_*.py measured on the same GPU. */
#include "tests/bench/gpu/bench.h"

#include <stdio.h>

static judo_status ratio(double own, double other, const char *unit, bench_result *result)
{
    if (own <= 0.0 || other <= 0.0) {
        (void)snprintf(result->remark, sizeof result->remark, "%s",
                       other <= 0.0 ? "the peer was not measured: it needs a Python with torch "
                                      "and CUDA (JUDO_PARITY_PYTHON)"
                                    : "judo's row was not measured");
        return JUDO_OK;
    }
    result->measured = true;
    result->value = own / other;
    (void)snprintf(result->text, sizeof result->text, "%.2f x", result->value);
    (void)snprintf(result->remark, sizeof result->remark, "%.4g and %.4g %s", own, other, unit);
    return JUDO_OK;
}

judo_status bench_peer_step(bench *b, bench_result *result)
{
    return ratio(b->step_rate, b->peer_step_rate, "TFLOP/s", result);
}

judo_status bench_peer_generate(bench *b, bench_result *result)
{
    return ratio(b->generate_rate, b->peer_generate_rate, "tokens/s", result);
}
