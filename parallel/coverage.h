/* parallel/coverage.h: which elements of a range have come, in whatever order they do. */
#ifndef JUDO_PARALLEL_COVERAGE_H
#define JUDO_PARALLEL_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_interval judo_interval;

/* Zero-initialised but for `next`. Intervals that come in order take no memory. */
typedef struct judo_coverage {
    int64_t next;         /* everything before it has come */
    judo_interval *ahead; /* what came beyond, ascending */
} judo_coverage;

/* Adds elements [first, end) of at least one. *again: one of them had come before; nothing was
 * added then. */
judo_status judo_coverage_add(judo_coverage *coverage, int64_t first, int64_t end,
                              bool *again) JUDO_MUST_CHECK;
void judo_coverage_free(judo_coverage *coverage);

#endif
