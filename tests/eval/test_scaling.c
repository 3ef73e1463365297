/* tests/eval/test_scaling.c: points of a scaling experiment from made-up run folders. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "eval/scaling.h"
#include "runtime/file.h"

enum { MOST = 6, STEPS = 5 };

static char base[64];
static char folders[MOST][128];
static const char *paths[MOST];

static void put(int index, const char *name, const char *text)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folders[index], name);
    assert_int_equal(judo_file_replace(path, text, strlen(text)), JUDO_OK);
}

/* A run: steps 2 .. take `seconds`, of which a tenth per rank above the first is waited. */
typedef struct made {
    int ranks, nodes, batch;
    double seconds, loss;
} made;

static void make_launch(int index, int ranks, int nodes, int first_step)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"version\":\"1\",\"stage\":\"domain_injection\",\"first_step\":%d,"
                   "\"ranks\":%d,\"nodes\":%d,\"threads\":1,\"device\":\"cpu\"}",
                   first_step, ranks, nodes);
    put(index, "launch.json", text);
}

static void make_run(int index, made run)
{
    char text[4096] = "";
    make_launch(index, run.ranks, run.nodes, 0);
    (void)snprintf(text, sizeof text,
                   "run:\n  folder: %s\nmodel:\n  dtype: f32\ntrain:\n  batch_size: %d\n"
                   "  max_steps: %d\n",
                   folders[index], run.batch, STEPS);
    put(index, "config.yaml", text);
    text[0] = 0;
    double now = 1e9;
    for (int step = 0; step < STEPS; step++) {
        char row[256];
        double seconds = step < 2 ? 100 : run.seconds;
        now += seconds;
        (void)snprintf(row, sizeof row,
                       "{\"step\":%d,\"time\":%.3f,\"loss\":%.9g,\"num_tokens\":%d,"
                       "\"comm/wait_time\":%g,\"step_time\":%g}\n",
                       step, now, run.loss / (step + 1), 100 * run.batch,
                       0.1 * (run.ranks - 1) * seconds, seconds);
        (void)strncat(text, row, sizeof text - strlen(text) - 1);
    }
    put(index, "metrics.jsonl", text);
}

static int setup(void **state)
{
    (void)state;
    (void)strcpy(base, "/tmp/judo_scaling_XXXXXX");
    assert_non_null(mkdtemp(base));
    for (int i = 0; i < MOST; i++) {
        (void)snprintf(folders[i], sizeof folders[i], "%s/run-%d", base, i);
        assert_int_equal(mkdir(folders[i], 0700), 0);
        paths[i] = folders[i];
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command); // NOLINT(cert-env33-c): a test's own folder
}

static judo_status evaluate(int count, judo_scaling *out)
{
    const judo_scaling_options options = {.drop = 2, .tolerance = -1};
    return judo_scaling_evaluate(paths, count, &options, out);
}

static void expect_failure(int count, judo_status code, const char *words)
{
    judo_scaling scaling;
    assert_int_equal(evaluate(count, &scaling), code);
    if (strstr(judo_error_message(), words) == NULL) {
        fail_msg("'%s' does not say '%s'", judo_error_message(), words);
    }
}

static void test_scaling__strong_points_are_compared_with_the_fewest_ranks(void **state)
{
    (void)state;
    judo_scaling s;
    make_run(0, (made){4, 2, 8, 1.25, 2.0});
    make_run(1, (made){1, 1, 8, 4.0, 2.0});
    make_run(2, (made){2, 1, 8, 2.0, 2.00001});
    assert_int_equal(evaluate(3, &s), JUDO_OK);
    assert_false(s.is_weak);
    assert_true(s.agrees);
    assert_int_equal(s.num_points, 3);
    assert_int_equal(s.points[0].ranks, 1);
    assert_int_equal(s.points[2].ranks, 4);
    assert_int_equal(s.points[2].nodes, 2);
    assert_float_equal(s.points[0].step_seconds, 4.0, 1e-12);
    assert_float_equal(s.points[1].speed_up, 2.0, 1e-12);
    assert_float_equal(s.points[1].efficiency, 1.0, 1e-12);
    assert_float_equal(s.points[2].speed_up, 3.2, 1e-12);
    assert_float_equal(s.points[2].efficiency, 0.8, 1e-12);
    assert_float_equal(s.points[2].tokens_per_second, 640, 1e-9);
    assert_float_equal(s.points[2].samples_per_second, 6.4, 1e-9);
    assert_float_equal(s.points[2].unhidden, 0.3, 1e-9);
    assert_true(isnan(s.points[0].unhidden));
    assert_float_equal(s.points[1].difference, 5e-6, 1e-8);
    judo_scaling_free(&s);
}

static void test_scaling__repeats_make_one_point_of_medians(void **state)
{
    (void)state;
    judo_scaling s;
    make_run(0, (made){2, 1, 8, 3.0, 2.0});
    make_run(1, (made){2, 1, 8, 1.0, 2.0});
    make_run(2, (made){2, 1, 8, 7.0, 2.0});
    assert_int_equal(evaluate(3, &s), JUDO_OK);
    assert_int_equal(s.num_points, 1);
    assert_int_equal(s.points[0].num_runs, 3);
    assert_float_equal(s.points[0].step_seconds, 3.0, 1e-12);
    assert_float_equal(s.points[0].fastest, 1.0, 1e-12);
    assert_float_equal(s.points[0].slowest, 7.0, 1e-12);
    assert_non_null(strstr(s.notes, "One point only"));
    judo_scaling_free(&s);
}

static void test_scaling__weak_points_have_batches_of_their_own(void **state)
{
    (void)state;
    judo_scaling s;
    make_run(0, (made){1, 1, 4, 2.0, 2.0});
    make_run(1, (made){2, 1, 8, 2.5, 1.0});
    assert_int_equal(evaluate(2, &s), JUDO_OK);
    assert_true(s.is_weak);
    assert_true(s.agrees);
    assert_float_equal(s.points[1].efficiency, 0.8, 1e-12);
    assert_true(isnan(s.points[1].difference));
    assert_non_null(strstr(s.verdict, "nothing to compare"));
    judo_scaling_free(&s);
}

static void test_scaling__a_loss_that_differs_is_named(void **state)
{
    (void)state;
    judo_scaling s;
    make_run(0, (made){1, 1, 8, 2.0, 2.0});
    make_run(1, (made){2, 1, 8, 1.0, 2.01});
    assert_int_equal(evaluate(2, &s), JUDO_OK);
    assert_false(s.agrees);
    assert_true(s.points[0].agrees);
    assert_false(s.points[1].agrees);
    assert_non_null(strstr(s.verdict, "loss of step 0 is 2 in"));
    judo_scaling_free(&s);
}

static void
test_scaling__stage_3_is_measured_by_rollouts_and_compared_in_the_first(void **state)
{
    (void)state;
    judo_scaling s;
    for (int i = 0; i < 2; i++) {
        char text[2048] = "";
        make_launch(i, i + 1, 1, 0);
        put(i, "config.yaml",
            "model.dtype: bf16\ngrpo.prompts_per_step: 6\ngrpo.updates_per_rollout: 2\n");
        for (int step = 0; step < 6; step++) {
            char row[256];
            /* Only the second rollout of the second run has other rewards. */
            (void)snprintf(
                row, sizeof row,
                "{\"step\":%d,\"time\":9,\"loss\":1e-9,\"reward\":%g,\"num_tokens\":60,"
                "\"comm/wait_time\":0,\"step_time\":%d}\n",
                step, i == 1 && step >= 2 ? 0.9 : 0.5, step % 2 ? 1 : 3);
            (void)strncat(text, row, sizeof text - strlen(text) - 1);
        }
        put(i, "metrics.jsonl", text);
    }
    assert_int_equal(evaluate(2, &s), JUDO_OK);
    assert_true(s.for_grpo);
    assert_float_equal(s.points[0].step_seconds, 2.0, 1e-12);
    assert_float_equal(s.points[0].tokens_per_second, 30.0, 1e-9);
    assert_float_equal(s.points[0].samples_per_second, 1.5, 1e-9);
    assert_true(s.agrees);
    assert_non_null(strstr(s.verdict, "from step 2 on completions part"));
    judo_scaling_free(&s);
}

static void test_scaling__what_is_no_point_of_the_experiment_is_refused(void **state)
{
    (void)state;
    make_run(0, (made){1, 1, 8, 2.0, 2.0});
    make_run(1, (made){2, 1, 5, 1.0, 2.0});
    expect_failure(2, JUDO_ERROR_MISMATCH, "batch of 5 on 2 ranks");
    make_run(1, (made){2, 1, 8, 1.0, 2.0});
    make_launch(1, 2, 1, 3);
    expect_failure(2, JUDO_ERROR_MISMATCH, "was resumed at step 3");
    make_launch(1, 2, 1, 0);
    put(1, "config.yaml",
        "run.folder: b\nmodel.dtype: bf16\ntrain.batch_size: 8\ntrain.max_steps: 5\n");
    expect_failure(2, JUDO_ERROR_MISMATCH, "model.dtype is 'f32'");
    put(1, "config.yaml",
        "run.folder: b\nmodel.dtype: f32\ntrain.batch_size: 8\ntrain.max_steps: 9\n");
    expect_failure(2, JUDO_ERROR_MISMATCH, "5 of 9 steps");
    put(1, "config.yaml", "run.folder: b\nmodel.dtype: f32\ntrain.batch_size: 8\n");
    expect_failure(2, JUDO_ERROR_MISMATCH, "train.max_steps");
}

static void test_scaling__broken_files_are_named(void **state)
{
    (void)state;
    make_run(0, (made){1, 1, 8, 2.0, 2.0});

    static const struct {
        const char *file, *text, *words;
    } cases[] = {
        {"launch.json", "{}", "stage"},
        {"launch.json", "[", "launch.json"},
        {"launch.json",
         "{\"stage\":\"s\",\"device\":\"cpu\",\"ranks\":0,\"nodes\":1,\"threads\":1,"
         "\"first_step\":0}",
         "ranks is 0"},
        {"config.yaml", "model.dtype: f32\n", "has no train.batch_size"},
        {"config.yaml", "train.batch_size: -3\n", "'-3', not in"},
        {"config.yaml", "train.batch_size: [1]\n", "config.yaml"},
        {"metrics.jsonl", "", "has no rows"},
        {"metrics.jsonl", "{\"step\":0,\"loss\":1}\n", "no row has 'step_time'"},
        {"metrics.jsonl",
         "{\"step\":0,\"loss\":1,\"time\":1,\"step_time\":0,\"num_tokens\":1}\n",
         "step_time 0"},
        {"metrics.jsonl",
         "{\"step\":1,\"loss\":1,\"time\":1,\"step_time\":1,\"num_tokens\":1}\n",
         "of step 1 where that of step 0"},
        {"metrics.jsonl", "{\"step\":0", "metrics.jsonl"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judo_scaling s;
        make_run(1, (made){2, 1, 8, 1.0, 2.0});
        put(1, cases[i].file, cases[i].text);
        assert_int_not_equal(evaluate(2, &s), JUDO_OK);
        if (strstr(judo_error_message(), cases[i].words) == NULL) {
            fail_msg("'%s' does not say '%s'", judo_error_message(), cases[i].words);
        }
    }
}

static void test_scaling__a_loss_without_a_value_is_named(void **state)
{
    (void)state;
    make_run(0, (made){1, 1, 8, 2.0, 2.0});
    put(0, "config.yaml", "train.batch_size: 8\ntrain.max_steps: 2\n");
    put(0, "metrics.jsonl",
        "{\"step\":0,\"loss\":1,\"time\":1,\"num_tokens\":4,\"step_time\":1}\n"
        "{\"step\":1,\"loss\":null,\"time\":1,\"num_tokens\":4,\"step_time\":1}\n");
    expect_failure(1, JUDO_ERROR_FORMAT, "1 of 2 steps have a 'loss'");
}

static void test_scaling__missing_folders_and_too_few_steps_are_errors(void **state)
{
    (void)state;
    judo_scaling s;
    const char *nowhere[] = {"/nonexistent/run"};
    const judo_scaling_options options = {.drop = 2, .tolerance = -1};
    assert_int_equal(judo_scaling_evaluate(nowhere, 1, &options, &s), JUDO_ERROR_IO);
    assert_int_equal(judo_scaling_evaluate(nowhere, 0, &options, &s), JUDO_ERROR_ARGUMENT);
    make_run(0, (made){1, 1, 8, 2.0, 2.0});
    const judo_scaling_options all = {.drop = STEPS, .tolerance = -1};
    assert_int_equal(judo_scaling_evaluate(paths, 1, &all, &s), JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "nothing is left"));
}

static void test_scaling__the_page_stands_alone_and_escapes(void **state)
{
    (void)state;
    judo_scaling s;
    char path[1024];
    char *page = NULL;
    size_t length = 0;
    (void)snprintf(path, sizeof path, "%s/page.html", base);
    make_run(0, (made){1, 1, 8, 4.0, 2.0});
    make_run(1, (made){2, 1, 8, 2.5, 2.0});
    assert_int_equal(evaluate(2, &s), JUDO_OK);
    assert_int_equal(judo_scaling_write_page(&s, "A <b> & C", path), JUDO_OK);
    judo_scaling_free(&s);
    assert_int_equal(judo_file_read_all(path, 1 << 20, &page, &length), JUDO_OK);
    const char *present[] = {"<h1>A &lt;b&gt; &amp; C</h1>",
                             "strong scaling",
                             "<svg",
                             "<td>1.60</td>",
                             "<td>80.0</td>",
                             "Parallel efficiency"};
    for (size_t i = 0; i < sizeof present / sizeof *present; i++) {
        assert_non_null(strstr(page, present[i]));
    }
    assert_null(strstr(page, "http"));
    assert_null(strstr(page, "nan"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling__strong_points_are_compared_with_the_fewest_ranks),
        cmocka_unit_test(test_scaling__repeats_make_one_point_of_medians),
        cmocka_unit_test(test_scaling__weak_points_have_batches_of_their_own),
        cmocka_unit_test(test_scaling__a_loss_that_differs_is_named),
        cmocka_unit_test(
            test_scaling__stage_3_is_measured_by_rollouts_and_compared_in_the_first),
        cmocka_unit_test(test_scaling__what_is_no_point_of_the_experiment_is_refused),
        cmocka_unit_test(test_scaling__broken_files_are_named),
        cmocka_unit_test(test_scaling__a_loss_without_a_value_is_named),
        cmocka_unit_test(test_scaling__missing_folders_and_too_few_steps_are_errors),
        cmocka_unit_test(test_scaling__the_page_stands_alone_and_escapes),
    };
    return cmocka_run_group_tests_name("scaling", tests, setup, teardown);
}
