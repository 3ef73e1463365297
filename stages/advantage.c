/* stages/advantage.c: group means and deviations in two passes, NaN-aware. */
#include "stages/advantage.h"

#include <math.h>
#include <stdbool.h>

typedef struct moments {
    int64_t count;
    double sum, mean, deviation; /* deviation NaN with fewer than 2 */
    bool equal;
} moments;

static moments moments_of(const double *rewards, int64_t count)
{
    moments m = {.mean = NAN, .deviation = NAN, .equal = true};
    double first = NAN;
    for (int64_t i = 0; i < count; i++) {
        if (!isnan(rewards[i])) {
            first = m.count == 0 ? rewards[i] : first;
            m.equal = m.equal && rewards[i] == first;
            m.sum += rewards[i];
            m.count++;
        }
    }
    if (m.count > 0) {
        m.mean = m.equal ? first : m.sum / (double)m.count;
    }
    double squares = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isnan(rewards[i])) {
            squares += (rewards[i] - m.mean) * (rewards[i] - m.mean);
        }
    }
    if (m.count > 1) {
        m.deviation = sqrt(squares / (double)(m.count - 1));
    }
    return m;
}

double judo_rewards_deviation(const double *rewards, int64_t count)
{
    return moments_of(rewards, count).deviation;
}

static void group_advantages(const double *rewards, int64_t size, const moments *group,
                             double divisor, float *advantages)
{
    for (int64_t i = 0; i < size; i++) {
        bool valid = !isnan(rewards[i]) && group->count > 1 && !isnan(divisor);
        advantages[i] = valid ? (float)((rewards[i] - group->mean) / divisor) : 0.0f;
    }
}

judo_status judo_group_advantages(const double *rewards, int64_t num_groups, int64_t group_size,
                                  judo_advantage_scale scale, double epsilon,
                                  double batch_deviation, float *advantages,
                                  judo_advantage_stats *stats)
{
    for (int64_t i = 0; i < num_groups * group_size; i++) {
        if (isinf(rewards[i])) {
            return JUDO_FAIL(JUDO_ERROR_NUMERIC, "advantages: reward %lld is infinite",
                             (long long)i);
        }
    }
    judo_advantage_stats sums = {0};
    if (scale == JUDO_ADVANTAGE_BATCH && isnan(batch_deviation)) {
        batch_deviation = judo_rewards_deviation(rewards, num_groups * group_size);
    }
    for (int64_t g = 0; g < num_groups; g++) {
        const double *group_rewards = rewards + g * group_size;
        moments group = moments_of(group_rewards, group_size);
        double divisor = scale == JUDO_ADVANTAGE_GROUP   ? group.deviation + epsilon
                         : scale == JUDO_ADVANTAGE_BATCH ? batch_deviation + epsilon
                                                         : 1.0;
        group_advantages(group_rewards, group_size, &group, divisor,
                         advantages + g * group_size);
        sums.num_valid += group.count;
        sums.reward_sum += group.sum;
        sums.num_zero_deviation += group.equal || group.count < 2 ? 1 : 0;
        if (group.count > 1) {
            sums.group_deviation_sum += group.deviation;
            sums.num_deviations++;
        }
    }
    if (stats != NULL) {
        *stats = sums;
    }
    return JUDO_OK;
}
