/* tests/models/traced_params.h: parameters that write down what is asked of them and check the
 * contract: hints come true, nothing is acquired twice, all is given back. */
#ifndef JUDO_TESTS_MODELS_TRACED_PARAMS_H
#define JUDO_TESTS_MODELS_TRACED_PARAMS_H

#include <stdbool.h>

#include "runtime/params.h"

enum { TRACE_MOST = 512 };

typedef struct traced_params {
    judo_params base;
    judo_params *inner;
    char kind[TRACE_MOST]; /* 'a'cquire, 'r'elease, 'b'egin, 'e'nd */
    int unit[TRACE_MOST];
    int count;
    int hint; /* of the last acquire */
    bool held[TRACE_MOST], begun[TRACE_MOST];
    int polls;
} traced_params;

void traced_init(traced_params *t, judo_params *inner);
/* All given back, and the last hint said "none". */
void traced_check_end(const traced_params *t);

#endif
