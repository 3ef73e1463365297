/* tests/eval/test_eval_result.c: metrics.json and sample lines. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "eval/eval_result.h"
#include "runtime/file.h"

static void test_result__survives_a_round_trip(void **state)
{
    (void)state;
    char path[] = "/tmp/judo_result_XXXXXX";
    static judo_eval_result result;
    static judo_eval_result back;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    judo_eval_result_clear(&result);
    strcpy(result.title, "Stage \"1\"");
    strcpy(result.model, "runs/one");
    strcpy(result.answer_mode, "judo");
    result.num_datasets = 2;
    strcpy(result.datasets[0], "VisA");
    strcpy(result.datasets[1], "DS-MVTec");
    result.counts.questions[1][JUDO_MMAD_ANALYSIS][0] = (judo_mmad_cell){3, 5, 1};
    result.counts.segmented = 4;
    result.counts.f1_billionths = 1234567890;
    result.rewards[JUDO_REWARD_CHOICE] = 0.25;
    result.total_reward = 1.5;
    assert_int_equal(judo_eval_result_write(path, &result), JUDO_OK);
    judo_eval_result_clear(&back);
    assert_int_equal(judo_eval_result_read(path, &back), JUDO_OK);
    assert_memory_equal(&back.counts, &result.counts, sizeof back.counts);
    assert_string_equal(back.title, result.title);
    assert_string_equal(back.datasets[1], "DS-MVTec");
    assert_true(back.rewards[JUDO_REWARD_CHOICE] == 0.25 && back.total_reward == 1.5);
    assert_true(isnan(back.rewards[JUDO_REWARD_DOMAIN]) && isnan(back.qa_loss));
    unlink(path);
}

static void test_result__impossible_counts_are_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/judo_result_XXXXXX";
    static judo_eval_result result;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    judo_eval_result_clear(&result);
    result.num_datasets = 1;
    result.counts.questions[0][0][0] = (judo_mmad_cell){5, 5, 1};
    assert_int_equal(judo_eval_result_write(path, &result), JUDO_OK);
    assert_int_equal(judo_eval_result_read(path, &result), JUDO_ERROR_FORMAT);
    assert_int_equal(judo_file_replace(path, "{\"schema\": 2}", 13), JUDO_OK);
    assert_int_equal(judo_eval_result_read(path, &result), JUDO_ERROR_UNSUPPORTED);
    unlink(path);
}

static void test_sample__is_one_object(void **state)
{
    (void)state;
    judo_cells gold = {{3, 0, 0, 0}};
    const char *const options[] = {"Yes.", "No."};
    judo_eval_sample sample = {.id = "7",
                               .question = "Any defect?",
                               .options = options,
                               .num_options = 2,
                               .answer = 'A',
                               .completion = "<answer>B</answer>",
                               .predicted = 'B',
                               .gold_cells = &gold};
    judo_json_writer writer = {0};
    assert_int_equal(judo_eval_sample_write(&sample, &writer), JUDO_OK);
    assert_string_equal(
        writer.text, "{\"id\":\"7\",\"question\":\"Any defect?\",\"options\":{\"A\":\"Yes.\","
                     "\"B\":\"No.\"},\"answer\":\"A\",\"predicted\":\"B\",\"completion\":"
                     "\"<answer>B</answer>\",\"gold_cells\":\"(1,1)-(1,2)\"}");
    judo_json_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result__survives_a_round_trip),
        cmocka_unit_test(test_result__impossible_counts_are_refused),
        cmocka_unit_test(test_sample__is_one_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
