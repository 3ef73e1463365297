/* stages/rollout_metrics.c: sums and counts over all ranks, then ratios: never a mean of means.
 */
#include "stages/rollout_metrics.h"

#include <math.h>
#include <stdio.h>

#include "rewards/reward.h"
#include "stages/advantage.h"

enum {
    ROWS,
    LENGTH,
    STOPPED,
    STOPPED_LENGTH,
    TOTAL,
    VALID,  /* rows with a reward */
    GROUPS, /* groups with a deviation: 2 valid rows or more */
    ALL_GROUPS,
    FLAT_GROUPS,
    GROUP_DEVIATION,
    REWARD,
    SQUARES = REWARD + JUDO_NUM_REWARDS,
    SCORED = SQUARES + JUDO_NUM_REWARDS,
    NUM_SUMS = SCORED + JUDO_NUM_REWARDS,
};

typedef struct tally {
    double sums[NUM_SUMS];
    int64_t extremes[2]; /* longest, minus the shortest */
} tally;

static void count_row(const judo_rollout *rollout, int32_t row, tally *t)
{
    double length = rollout->generation.lengths[row];
    double total = rollout->rewards[row];
    t->sums[ROWS] += 1;
    t->sums[LENGTH] += length;
    if (rollout->generation.stopped[row]) {
        t->sums[STOPPED] += 1;
        t->sums[STOPPED_LENGTH] += length;
    }
    if (!isnan(total)) {
        t->sums[TOTAL] += total;
        t->sums[VALID] += 1;
    }
    int64_t tokens = rollout->generation.lengths[row];
    t->extremes[0] = tokens > t->extremes[0] ? tokens : t->extremes[0];
    t->extremes[1] = -tokens > t->extremes[1] ? -tokens : t->extremes[1];
    for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
        double value = rollout->values[row].value[r];
        if (!isnan(value)) {
            t->sums[SCORED + r] += 1;
            t->sums[REWARD + r] += value;
            t->sums[SQUARES + r] += value * value;
        }
    }
}

static void count_group(const judo_rollout *rollout, int32_t group, tally *t)
{
    const double *rewards = rollout->rewards + (int64_t)group * rollout->group_size;
    double deviation = judo_rewards_deviation(rewards, rollout->group_size);
    t->sums[ALL_GROUPS] += 1;
    t->sums[FLAT_GROUPS] += !(deviation >= 1e-9);
    if (!isnan(deviation)) {
        t->sums[GROUPS] += 1;
        t->sums[GROUP_DEVIATION] += deviation;
    }
}

/* Unbiased. */
static double deviation_of(double sum, double squares, double count)
{
    double mean = sum / fmax(1, count);
    return sqrt(fmax(0, squares - count * mean * mean) / fmax(1, count - 1));
}

judo_status judo_rollout_metrics(judo_job *job, const judo_rollout *rollout)
{
    tally t = {.extremes = {0, INT64_MIN}};
    for (int32_t row = 0; row < rollout->num_prompts * rollout->group_size; row++) {
        count_row(rollout, row, &t);
    }
    for (int32_t group = 0; group < rollout->num_prompts; group++) {
        count_group(rollout, group, &t);
    }
    JUDO_TRY(judo_comm_sum_f64(job->comm, t.sums, NUM_SUMS));
    JUDO_TRY(judo_comm_max_i64(job->comm, t.extremes, 2));
    judo_metrics *m = job->metrics;
    double rows = fmax(1, t.sums[ROWS]);
    judo_metrics_put(m, "reward", t.sums[TOTAL] / fmax(1, t.sums[VALID]));
    judo_metrics_put(m, "reward_std", t.sums[GROUP_DEVIATION] / fmax(1, t.sums[GROUPS]));
    judo_metrics_put(m, "frac_reward_zero_std",
                     t.sums[FLAT_GROUPS] / fmax(1, t.sums[ALL_GROUPS]));
    for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
        if (t.sums[SCORED + r] > 0) {
            char name[96];
            (void)snprintf(name, sizeof name, "rewards/%s/mean", judo_rewards[r].name);
            judo_metrics_put(m, name, t.sums[REWARD + r] / t.sums[SCORED + r]);
            (void)snprintf(name, sizeof name, "rewards/%s/std", judo_rewards[r].name);
            judo_metrics_put(
                m, name,
                deviation_of(t.sums[REWARD + r], t.sums[SQUARES + r], t.sums[SCORED + r]));
        }
    }
    judo_metrics_put(m, "completions/mean_length", t.sums[LENGTH] / rows);
    judo_metrics_put(m, "completions/max_length", (double)t.extremes[0]);
    judo_metrics_put(m, "completions/min_length", -(double)t.extremes[1]);
    judo_metrics_put(m, "completions/clipped_ratio", 1 - t.sums[STOPPED] / rows);
    judo_metrics_put(m, "completions/mean_terminated_length",
                     t.sums[STOPPED_LENGTH] / fmax(1, t.sums[STOPPED]));
    return JUDO_OK;
}
