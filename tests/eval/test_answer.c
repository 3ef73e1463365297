/* tests/eval/test_answer.c: reading letters as the published evaluations do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eval/answer.h"
#include "eval/sequence_match.h"
#include "runtime/json.h"

static char read_letter(judo_answer_mode mode, const char *text)
{
    static const char *const options[] = {"A scratch.", "A bent wire.", "Nothing.", "Colour."};
    char letter = '?';
    assert_int_equal(
        judo_answer_read(mode, judo_span_of(text, strlen(text)), options, 4, &letter), JUDO_OK);
    return letter;
}

static void test_judo__tag_first_then_the_first_lone_letter(void **state)
{
    (void)state;
    assert_int_equal(read_letter(JUDO_ANSWER_JUDO, "A defect <answer>B</answer>"), 'B');
    assert_int_equal(read_letter(JUDO_ANSWER_JUDO, "A defect <answer> B </answer>"), 'A');
    assert_int_equal(read_letter(JUDO_ANSWER_JUDO, "it is (C), not B"), 'C');
    assert_int_equal(read_letter(JUDO_ANSWER_JUDO, "PCB E none"), 0);
}

static void test_mmad__last_lone_letter_then_the_closest_option(void **state)
{
    (void)state;
    assert_int_equal(read_letter(JUDO_ANSWER_MMAD, "A. No, B"), 'B');
    assert_int_equal(read_letter(JUDO_ANSWER_MMAD, "E"), 'E');
    assert_int_equal(read_letter(JUDO_ANSWER_MMAD, "some wire is bent"), 'B');
    assert_int_equal(read_letter(JUDO_ANSWER_MMAD, ""), 'C'); /* all 0: the greatest text */
    char letter = '?';
    assert_int_equal(
        judo_answer_read(JUDO_ANSWER_MMAD, judo_span_of("no", 2), NULL, 0, &letter), JUDO_OK);
    assert_int_equal(letter, 0);
}

static void check_letter(const judo_json *row, const char *key, judo_answer_mode mode,
                         judo_span text, const char *const *options)
{
    const char *expected = NULL;
    char letter = '?';
    assert_int_equal(judo_json_get_string_or(row, key, "golden", "", &expected), JUDO_OK);
    assert_int_equal(judo_answer_read(mode, text, options, 4, &letter), JUDO_OK);
    assert_int_equal(letter, expected[0]);
}

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    const char *completion = NULL;
    const char *options[4];
    double expected = -1;
    double ratio = -2;
    JUDO_TRY(judo_json_get_string(row, "completion", "golden", &completion));
    judo_span text = judo_span_of(completion, strlen(completion));
    for (int i = 0; i < 4; i++) {
        JUDO_TRY(judo_json_as_string(judo_json_at(judo_json_get(row, "options"), i), "golden",
                                     &options[i]));
    }
    JUDO_TRY(judo_json_get_double(row, "ratio", "golden", &expected));
    JUDO_TRY(judo_sequence_ratio(judo_span_of(options[0], strlen(options[0])), text, &ratio));
    assert_true(ratio == expected);
    check_letter(row, "judo", JUDO_ANSWER_JUDO, text, options);
    check_letter(row, "mmad", JUDO_ANSWER_MMAD, text, options);
    *(int64_t *)context = line;
    return JUDO_OK;
}

static void test_answers__agree_with_python(void **state)
{
    (void)state;
    int64_t lines = 0;
    assert_int_equal(judo_json_each_line("tests/golden/answers.jsonl", check_row, &lines),
                     JUDO_OK);
    assert_true(lines >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judo__tag_first_then_the_first_lone_letter),
        cmocka_unit_test(test_mmad__last_lone_letter_then_the_closest_option),
        cmocka_unit_test(test_answers__agree_with_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
