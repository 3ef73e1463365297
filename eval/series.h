/* eval/series.h: the curves of a run, read from its metrics.jsonl. */
#ifndef JUDO_EVAL_SERIES_H
#define JUDO_EVAL_SERIES_H

#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_series {
    char *name;
    double *steps, *values; /* [length], as read */
    int64_t length, capacity;
} judo_series;

typedef struct judo_series_set {
    judo_series *items; /* in order of first appearance */
    int count, capacity;
} judo_series_set;

/* Reads lines {"step": n, NAME: number ..}; members that are no numbers are passed over. Free
 * the set with judo_series_free. */
judo_status judo_series_read(const char *path, judo_series_set *out) JUDO_MUST_CHECK;
void judo_series_free(judo_series_set *set);

/* NULL when there is none of that name. */
const judo_series *judo_series_find(const judo_series_set *set, const char *name);

#endif
