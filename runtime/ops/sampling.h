/* runtime/ops/sampling.h: how the next token is drawn from a row of logits, and what of it
 * stays on the device. */
#ifndef JUDO_RUNTIME_OPS_SAMPLING_H
#define JUDO_RUNTIME_OPS_SAMPLING_H

#include <stdint.h>

/* Repetition penalty, temperature, top-k, top-p, min-p in this order, as Hugging Face's
 * processors. */
typedef struct judo_sampling {
    float temperature;        /* 0: greedy */
    int32_t top_k;            /* 0: off */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    float repetition_penalty; /* 1: off */
} judo_sampling;

/* Instead of the token of a row that has no finite logit, or one that is not a number: the
 * model has diverged or every id is banned. */
enum { JUDO_NO_TOKEN = -1 };

typedef struct judo_draw {
    int32_t token;
    float logprob; /* of the token; NaN without one */
} judo_draw;

/* What draws leave behind for later steps; all arrays are in the device's memory. */
typedef struct judo_draw_memory {
    judo_draw *draws; /* [num_draws] */
    int64_t num_draws;
    uint8_t *seen; /* [num_seen, vocabulary] marks of ids that the repetition penalty applies
                      to; NULL: it is off */
    int64_t num_seen;
    const uint8_t *banned; /* [vocabulary] marks of ids that are never drawn, or NULL */
} judo_draw_memory;

/* One row that draws; lists of these are on the host. */
typedef struct judo_draw_row {
    float uniform; /* its random number in [0, 1) */
    int32_t place; /* of its draw, another for every row of a call */
    int32_t seen;  /* row of its marks, likewise; of no use without marks */
} judo_draw_row;

#endif
