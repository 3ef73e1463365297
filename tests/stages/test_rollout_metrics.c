/* tests/stages/test_rollout_metrics.c: a rollout's metrics are those of all ranks' completions
 * together. */
#include "tests/parallel/mpi_main.h"

#include <stdlib.h>
#include <string.h>

#include "stages/rollout_metrics.h"
#include "tests/data/folder.h"
#include "tests/stages/metrics_row.h"

enum { GROUPS = 5, SIZE = 3, LIMIT = 8 };

/* The whole rollout; group g lies on rank g % ranks. A length of 8 was cut by the limit; NaN is
 * a completion that no reward applies to. */
static const int32_t lengths[GROUPS][SIZE] = {
    {4, 8, 5}, {2, 3, 8}, {7, 7, 7}, {8, 6, 1}, {5, 4, 6}};
static const double totals[GROUPS][SIZE] = {
    {1, 2, 3}, {NAN, NAN, 0}, {0.5, NAN, 2}, {1, 1, 1}, {4, 0, 2}};

static judo_rollout make_rollout(const judo_comm *comm)
{
    judo_train_config config = {.grpo = {.group_size = SIZE, .max_new_tokens = LIMIT}};
    judo_rollout rollout;
    int32_t own = (GROUPS - comm->rank + comm->size - 1) / comm->size;
    assert_ok(judo_rollout_create(&config, own, &rollout));
    for (int32_t row = 0; row < own * SIZE; row++) {
        int32_t group = row / SIZE * comm->size + comm->rank;
        int32_t k = row % SIZE;
        rollout.generation.lengths[row] = lengths[group][k];
        rollout.generation.stopped[row] = lengths[group][k] < LIMIT;
        rollout.rewards[row] = totals[group][k];
        for (int r = 0; r < JUDO_NUM_REWARDS; r++) {
            rollout.values[row].value[r] = NAN;
        }
        rollout.values[row].value[JUDO_REWARD_CHOICE] = totals[group][k] > 1;
        if (group == 2) { /* a reward that few completions have */
            rollout.values[row].value[JUDO_REWARD_SEGMENTATION] = totals[group][k];
        }
    }
    return rollout;
}

static void assert_value(const char *folder, const char *key, double expected)
{
    double value = metrics_last(folder, key);
    if (!(fabs(value - expected) < 1e-12)) {
        print_error("%s is %.17g, not %.17g\n", key, value, expected);
    }
    assert_true(fabs(value - expected) < 1e-12);
}

static void assert_row(const char *folder)
{
    assert_value(folder, "reward", 17.5 / 12);
    assert_value(folder, "reward_std", (1 + sqrt(1.125) + 0 + 2) / 4);
    assert_value(folder, "frac_reward_zero_std", 2.0 / 5);
    assert_value(folder, "rewards/choice/mean", 5.0 / 15);
    assert_value(folder, "rewards/choice/std", sqrt((5.0 - 25.0 / 15) / 14));
    assert_value(folder, "rewards/segmentation/mean", 1.25);
    assert_value(folder, "rewards/segmentation/std", sqrt(1.125));
    assert_true(isnan(metrics_last(folder, "rewards/format/mean")));
    assert_value(folder, "completions/mean_length", 81.0 / 15);
    assert_value(folder, "completions/max_length", 8);
    assert_value(folder, "completions/min_length", 1);
    assert_value(folder, "completions/clipped_ratio", 3.0 / 15);
    assert_value(folder, "completions/mean_terminated_length", 57.0 / 12);
}

static void test_metrics__are_those_of_all_ranks_together(void **state)
{
    (void)state;
    test_folder folder = {{0}};
    judo_job job = {.comm = process.comm};
    bool chief = process.comm->rank == 0;
    if (chief) {
        folder = folder_make();
        assert_ok(judo_metrics_open(folder.path, -1, false, &job.metrics));
        judo_metrics_set_console_every(job.metrics, 0);
    }
    judo_rollout rollout = make_rollout(process.comm);
    judo_metrics_begin(job.metrics, 0);
    assert_ok(judo_rollout_metrics(&job, &rollout));
    assert_ok(judo_metrics_end(job.metrics));
    judo_metrics_close(&job.metrics);
    judo_rollout_free(&rollout);
    if (chief) {
        assert_row(folder.path);
        folder_remove(&folder);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_metrics__are_those_of_all_ranks_together),
};
JUDO_MPI_TEST_MAIN(tests)
