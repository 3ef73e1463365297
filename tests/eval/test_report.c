/* tests/eval/test_report.c: the page holds what it was given, escaped, and stands alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/image_file.h"
#include "eval/eval_result.h"
#include "eval/html.h"
#include "eval/report.h"
#include "runtime/file.h"

static char folder[64];

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(judo_file_replace(path_of(name), text, strlen(text)), JUDO_OK);
}

static int setup(void **state)
{
    (void)state;
    static judo_eval_result result;
    judo_image image;
    strcpy(folder, "/tmp/judo_report_XXXXXX");
    assert_non_null(mkdtemp(folder));
    judo_eval_result_clear(&result);
    strcpy(result.title, "Stage <1> & more");
    result.num_datasets = 1;
    strcpy(result.datasets[0], "VisA");
    result.counts.questions[0][JUDO_MMAD_ANALYSIS][0] = (judo_mmad_cell){7, 8, 0};
    assert_int_equal(judo_eval_result_write(path_of("metrics.json"), &result), JUDO_OK);
    put("metrics.jsonl", "{\"step\": 1, \"loss\": 2.5, \"odd<name>\": 1}\n"
                         "{\"step\": 2, \"loss\": null, \"note\": \"x\"}\n"
                         "{\"step\": 3, \"loss\": 1.25}\n");
    put("config.yaml", "run:\n  folder: <b>here</b>\n");
    put("samples.jsonl",
        "{\"question\": \"<script>alert(1)</script>\", \"options\": {\"A\": \"Yes & no\", "
        "\"B\": \"No\"}, \"answer\": \"A\", \"predicted\": \"B\", \"completion\": "
        "\"<seg>None</seg><think>a<b</think><answer>B\", \"rewards\": {\"choice\": 0, "
        "\"domain\": null}, \"total\": 0.5, \"overlay\": \"one.png\"}\n");
    assert_int_equal(judo_image_create(8, 8, 3, &image), JUDO_OK);
    memset(image.pixels, 9, 8 * 8 * 3);
    assert_int_equal(judo_image_write_png(path_of("one.png"), &image), JUDO_OK);
    judo_image_free(&image);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    const char *names[] = {"metrics.json",  "metrics.jsonl", "config.yaml",
                           "samples.jsonl", "one.png",       "report.html"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unlink(path_of(names[i]));
    }
    return rmdir(folder);
}

static judo_status write_report(void)
{
    judo_report_item evaluation = {NULL, path_of("metrics.json")};
    judo_report_item run = {"Stage 1", folder};
    judo_report_item samples = {"Samples", path_of("samples.jsonl")};
    judo_report_input input = {.title = "A \"title\"",
                               .evaluations = &evaluation,
                               .num_evaluations = 1,
                               .runs = &run,
                               .num_runs = 1,
                               .samples = &samples,
                               .num_samples = 1};
    return judo_report_write(&input, path_of("report.html"));
}

static void test_report__holds_its_inputs_escaped(void **state)
{
    (void)state;
    char *page = NULL;
    size_t length = 0;
    assert_int_equal(write_report(), JUDO_OK);
    assert_int_equal(judo_file_read_all(path_of("report.html"), 1 << 24, &page, &length),
                     JUDO_OK);
    const char *present[] = {"<h1>A &quot;title&quot;</h1>",
                             "Stage &lt;1&gt; &amp; more",
                             "87.50",
                             "JUDO 7B",
                             "80.73",
                             "&lt;script&gt;alert(1)&lt;/script&gt;",
                             "<span class=\"think\"><i>&lt;think&gt;</i>a&lt;b",
                             "src=\"data:image/png;base64,iVBORw0KGgo",
                             "odd&lt;name&gt;",
                             "&lt;b&gt;here&lt;/b&gt;",
                             "1 of 1 lines"};
    for (size_t i = 0; i < sizeof present / sizeof *present; i++) {
        assert_non_null(strstr(page, present[i]));
    }
    const char *absent[] = {"<script", "http://", "https://", "nan", "<b>here"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        assert_null(strstr(page, absent[i]));
    }
    free(page);
}

static void test_report__a_missing_picture_is_an_error_and_leaves_no_page(void **state)
{
    (void)state;
    unlink(path_of("report.html"));
    assert_int_equal(rename(path_of("one.png"), path_of("away.png")), 0);
    assert_int_equal(write_report(), JUDO_ERROR_IO);
    assert_int_equal(access(path_of("report.html"), F_OK), -1);
    assert_int_equal(rename(path_of("away.png"), path_of("one.png")), 0);
    assert_int_equal(write_report(), JUDO_OK);
}

static void test_data_uri__base64_of_each_remainder(void **state)
{
    (void)state;
    const char *expected[] = {"data:x;base64,",
                              "data:x;base64,TQ==", "data:x;base64,TWE=", "data:x;base64,TWFu"};
    for (size_t length = 0; length < 4; length++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        judo_html_data_uri(out, "x", (const uint8_t *)"Man", length);
        fclose(out);
        assert_string_equal(text, expected[length]);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__holds_its_inputs_escaped),
        cmocka_unit_test(test_report__a_missing_picture_is_an_error_and_leaves_no_page),
        cmocka_unit_test(test_data_uri__base64_of_each_remainder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
