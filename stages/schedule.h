/* stages/schedule.h: learning-rate schedules, as in Transformers' optimization.py. */
#ifndef JUDO_STAGES_SCHEDULE_H
#define JUDO_STAGES_SCHEDULE_H

#include <stdint.h>

typedef enum judo_schedule_kind {
    JUDO_SCHEDULE_LINEAR,
    JUDO_SCHEDULE_COSINE,
    JUDO_SCHEDULE_CONSTANT,
} judo_schedule_kind;

/* The factor on the peak learning rate for the update with 0-based index `step` of `total`:
 * rises linearly over `warmup` steps, then falls to `minimum` (a share of the peak). With
 * warmup 0 the first step uses the full rate. */
double judo_schedule_factor(judo_schedule_kind kind, int64_t step, int64_t warmup,
                            int64_t total, double minimum);

#endif
