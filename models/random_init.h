/* models/random_init.h: fresh weights for a model without a checkpoint. */
#ifndef JUDO_MODELS_RANDOM_INIT_H
#define JUDO_MODELS_RANDOM_INIT_H

#include <stdint.h>

#include "runtime/params.h"

typedef struct judo_random_init {
    uint64_t seed;
    double deviation; /* of matrices (config.json's initializer_range); norms start at 1, biases
                         at 0 */
} judo_random_init;

/* A source whose numbers are a pure function of (seed, parameter name, element). Borrows
 * `init`. */
judo_weight_source judo_random_init_source(judo_random_init *init);

#endif
