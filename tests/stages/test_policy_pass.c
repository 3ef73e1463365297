/* tests/stages/test_policy_pass.c: the policy loss of a rollout small enough to do by hand, on
 * the model of world.sh. */
#include "tests/parallel/mpi_main.h"

#include <stdlib.h>
#include <unistd.h>

#include "stages/job.h"
#include "stages/policy_pass.h"
#include "tests/data/folder.h"
#include "tests/stages/metrics_row.h"

enum { GROUPS = 3, SIZE = 2, LIMIT = 8 };

static const int32_t lengths[GROUPS][SIZE] = {{1, 3}, {2, 8}, {5, 4}};
static const float advantages[GROUPS][SIZE] = {{1, -2}, {0.5f, 3}, {-1, 0.25f}};

typedef struct fixture {
    judo_train_config config;
    judo_job job;
    judo_rollout rollout;
    test_folder folder; /* of rank 0 */
} fixture;

/* Group g lies on rank g % ranks; its tokens are any, the same wherever it lies. */
static void fill_rollout(fixture *f)
{
    const judo_comm *comm = f->job.comm;
    int32_t own = (GROUPS - comm->rank + comm->size - 1) / comm->size;
    assert_ok(judo_rollout_create(&f->config, own, &f->rollout));
    for (int32_t i = 0; i < own; i++) {
        int32_t group = i * comm->size + comm->rank;
        f->rollout.positions[i] = group;
        for (int32_t k = 0; k < SIZE; k++) {
            int32_t row = i * SIZE + k;
            f->rollout.generation.lengths[row] = lengths[group][k];
            f->rollout.generation.stopped[row] = lengths[group][k] < LIMIT;
            f->rollout.advantages[row] = advantages[group][k];
            for (int32_t t = 0; t < LIMIT; t++) {
                f->rollout.generation.tokens[row * LIMIT + t] = 30 + 40 * group + 20 * k + t;
            }
        }
    }
    assert_ok(judo_rollout_read_prompts(&f->job, &f->rollout));
}

static void open_fixture(fixture *f, judo_policy_loss loss)
{
    const char *const overrides[] = {"run.folder=unused", "grpo.prompts_per_step=3",
                                     "grpo.group_size=2", "grpo.max_new_tokens=8",
                                     "grpo.kl_beta=0"};
    judo_config_table table = judo_train_config_table(true);
    *f = (fixture){0};
    assert_ok(judo_config_load(&f->config, &table, "stage3.yaml", overrides, 5));
    f->config.grpo.loss = loss;
    assert_ok(judo_job_open(process.comm, &judo_stage_grpo, &f->config, 1, &f->job));
    assert_ok(judo_job_load_model(&f->job));
    fill_rollout(f);
    if (process.comm->rank == 0) {
        f->folder = folder_make();
        assert_ok(judo_metrics_open(f->folder.path, -1, false, &f->job.metrics));
        judo_metrics_set_console_every(f->job.metrics, 0);
    }
}

static void close_fixture(fixture *f)
{
    judo_metrics_close(&f->job.metrics);
    judo_rollout_free(&f->rollout);
    judo_job_close(&f->job);
    if (process.comm->rank == 0) {
        folder_remove(&f->folder);
    }
}

/* Loss (on rank 0) and gradient norm of one update. */
static void update(fixture *f, judo_policy_pass *pass, bool first, double *loss, double *norm)
{
    judo_metrics_begin(f->job.metrics, first ? 0 : 1);
    assert_ok(judo_zero3_zero_gradients(f->job.zero));
    assert_ok(judo_policy_pass_update(pass, first));
    assert_ok(judo_zero3_gradient_norm(f->job.zero, norm));
    assert_ok(judo_metrics_end(f->job.metrics));
    *loss = process.comm->rank == 0 ? metrics_last(f->folder.path, "loss") : NAN;
}

/* With the ratio at 1 a token's loss is minus its advantage. */
static void assert_loss(judo_policy_loss kind, double expected)
{
    fixture *f = calloc(1, sizeof *f);
    judo_policy_pass *pass = NULL;
    double loss[2], norm[2];
    assert_non_null(f);
    open_fixture(f, kind);
    assert_ok(judo_policy_pass_create(&f->job, &pass));
    assert_ok(judo_policy_pass_pack(pass, &f->rollout));
    update(f, pass, true, &loss[0], &norm[0]);
    update(f, pass, false, &loss[1],
           &norm[1]); /* nothing was changed in between: the ratio is 1 again */
    if (process.comm->rank == 0) {
        assert_true(fabs(loss[0] - expected) < 1e-7);
        assert_true(fabs(loss[1] - expected) < 1e-7);
        assert_true(metrics_last(f->folder.path, "num_tokens") == 23);
        assert_true(metrics_last(f->folder.path, "clip_ratio/low_mean") == 0);
    }
    assert_true(norm[0] > 0 && norm[0] == norm[1]);
    judo_policy_pass_destroy(&pass);
    close_fixture(f);
    free(f);
}

static void test_grpo__is_the_mean_of_the_completions_means(void **state)
{
    (void)state;
    assert_loss(JUDO_POLICY_GRPO, -1.75 / 6);
}

static void test_bnpo_and_dapo__are_the_mean_over_all_tokens(void **state)
{
    (void)state;
    assert_loss(JUDO_POLICY_BNPO, -16.0 / 23);
    assert_loss(JUDO_POLICY_DAPO, -16.0 / 23);
}

static void test_dr_grpo__divides_by_completions_and_their_limit(void **state)
{
    (void)state;
    assert_loss(JUDO_POLICY_DR_GRPO, -16.0 / (6 * LIMIT));
}

static void test_gspo_and_luspo__are_means_and_sums_of_completions(void **state)
{
    (void)state;
    assert_loss(JUDO_POLICY_GSPO, -1.75 / 6);
    assert_loss(JUDO_POLICY_LUSPO, -16.0 / 6);
}

/* The completion of LIMIT tokens, with advantage 3, is left out: of the tokens, not of the
 * completions. */
static void assert_masked_loss(judo_policy_loss kind, double expected)
{
    fixture *f = calloc(1, sizeof *f);
    judo_policy_pass *pass = NULL;
    double loss, norm;
    assert_non_null(f);
    open_fixture(f, kind);
    f->config.grpo.mask_truncated = true;
    assert_ok(judo_policy_pass_create(&f->job, &pass));
    assert_ok(judo_policy_pass_pack(pass, &f->rollout));
    update(f, pass, true, &loss, &norm);
    if (process.comm->rank == 0) {
        assert_true(fabs(loss - expected) < 1e-7);
        assert_true(metrics_last(f->folder.path, "num_tokens") == 15);
    }
    judo_policy_pass_destroy(&pass);
    close_fixture(f);
    free(f);
}

static void test_mask_truncated__leaves_out_what_reached_the_limit(void **state)
{
    (void)state;
    assert_masked_loss(JUDO_POLICY_GRPO, 1.25 / 6);
    assert_masked_loss(JUDO_POLICY_GSPO, 1.25 / 6);
    assert_masked_loss(JUDO_POLICY_DAPO, 8.0 / 15);
    assert_masked_loss(JUDO_POLICY_DR_GRPO, 8.0 / (6 * LIMIT));
}

/* Moves all weights against the gradient by `step` times the gradient: AdamW with an epsilon
 * that drowns its second moment. */
static void descend(fixture *f, double step)
{
    judo_adamw options = {.learning_rate = fabs(step) * 1e6,
                          .epsilon = 1e6,
                          .step = 1,
                          .gradient_scale = step > 0 ? 1.0f : -1.0f};
    judo_zero3_update done;
    assert_ok(judo_zero3_step(f->job.zero, &options, 0, &done));
    assert_true(done.applied);
}

/* The loss of a later update falls along its gradient as fast as the gradient says. */
static void assert_slope(judo_policy_loss kind, judo_importance importance, double clip)
{
    const double step = 2e-4;
    fixture *f = calloc(1, sizeof *f);
    judo_policy_pass *pass = NULL;
    double loss[4], norm, there;
    assert_non_null(f);
    open_fixture(f, kind);
    f->config.grpo.importance = importance;
    f->config.grpo.clip_low = f->config.grpo.clip_high = clip;
    f->config.grpo.kl_beta = 0.5;
    assert_ok(judo_policy_pass_create(&f->job, &pass));
    assert_ok(judo_policy_pass_pack(pass, &f->rollout));
    assert_ok(judo_policy_pass_reference(pass, f->job.params));
    update(f, pass, true, &loss[0], &norm);
    descend(f, 0.05 / norm); /* now the ratios differ from 1 */
    update(f, pass, false, &loss[1], &norm);
    descend(f, step / norm);
    update(f, pass, false, &loss[2], &there);
    descend(f, -2 * step / there); /* back and as far to the other side, nearly */
    update(f, pass, false, &loss[3], &there);
    if (process.comm->rank == 0) {
        double slope = (loss[3] - loss[2]) / (2 * step);
        if (!(fabs(slope - norm) < 0.02 * norm)) {
            print_error("loss %d level %d: slope %g, gradient %g\n", kind, importance, slope,
                        norm);
        }
        assert_true(fabs(slope - norm) < 0.02 * norm);
        assert_true(loss[1] != loss[0]);
    }
    judo_policy_pass_destroy(&pass);
    close_fixture(f);
    free(f);
}

static void test_gradient__is_the_slope_of_a_later_update(void **state)
{
    (void)state;
    assert_slope(JUDO_POLICY_GRPO, JUDO_IMPORTANCE_TOKEN, 0.2);
    assert_slope(JUDO_POLICY_GSPO, JUDO_IMPORTANCE_SEQUENCE, 0.2);
    assert_slope(JUDO_POLICY_DAPO, JUDO_IMPORTANCE_SEQUENCE, 0.2);
    assert_slope(JUDO_POLICY_LUSPO, JUDO_IMPORTANCE_SEQUENCE, 0.2);
}

static void test_world__is_there(void **state)
{
    (void)state;
    const char *world = getenv("JUDO_WORLD");
    assert_non_null(world);
    assert_int_equal(chdir(world), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_world__is_there),
    cmocka_unit_test(test_grpo__is_the_mean_of_the_completions_means),
    cmocka_unit_test(test_bnpo_and_dapo__are_the_mean_over_all_tokens),
    cmocka_unit_test(test_dr_grpo__divides_by_completions_and_their_limit),
    cmocka_unit_test(test_gspo_and_luspo__are_means_and_sums_of_completions),
    cmocka_unit_test(test_mask_truncated__leaves_out_what_reached_the_limit),
    cmocka_unit_test(test_gradient__is_the_slope_of_a_later_update),
};
JUDO_MPI_TEST_MAIN(tests)
