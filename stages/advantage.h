/* stages/advantage.h: from rewards to advantages, relative to the group (GRPO). */
#ifndef JUDO_STAGES_ADVANTAGE_H
#define JUDO_STAGES_ADVANTAGE_H

#include <stdint.h>

#include "runtime/status.h"

typedef enum judo_advantage_scale {
    JUDO_ADVANTAGE_GROUP, /* (r - group mean) / (group deviation + epsilon) */
    JUDO_ADVANTAGE_BATCH, /* (r - group mean) / (batch deviation + epsilon) */
    JUDO_ADVANTAGE_NONE,  /* r - group mean */
} judo_advantage_scale;

#define JUDO_ADVANTAGE_EPSILON 1e-4

typedef struct judo_advantage_stats {
    int64_t num_valid;          /* rewards that are not NaN */
    int64_t num_zero_deviation; /* groups whose rewards are all equal (or fewer than 2 valid) */
    double reward_sum;          /* over valid rewards */
    double group_deviation_sum; /* over groups with at least 2 valid rewards */
    int64_t num_deviations;     /* those groups */
} judo_advantage_stats;

/* rewards, advantages: [num_groups * group_size]; NaN rewards are left out of mean and
 * deviation and get advantage 0, as does a group with fewer than 2 valid rewards. Deviations
 * are unbiased (n - 1). batch_deviation: of the whole batch over all ranks, for
 * JUDO_ADVANTAGE_BATCH; NaN: of these rewards. Equal rewards give exactly 0. `stats` may be
 * NULL. Not collective. */
judo_status judo_group_advantages(const double *rewards, int64_t num_groups, int64_t group_size,
                                  judo_advantage_scale scale, double epsilon,
                                  double batch_deviation, float *advantages,
                                  judo_advantage_stats *stats) JUDO_MUST_CHECK;

/* Unbiased deviation of the valid ones among `count` rewards; NaN with fewer than 2. */
double judo_rewards_deviation(const double *rewards, int64_t count);

#endif
