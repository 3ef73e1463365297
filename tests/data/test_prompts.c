/* tests/data/test_prompts.c: the structure of prompts, layouts of options, targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "data/prompts.h"

static const char *const options[] = {"Yes.", "It isn't.", "a \"b\" 'c'\n\\\xc2\xa0\xc3\xa9"};

static void assert_question(judo_option_layout layout, int32_t count, const char *wanted)
{
    judo_text text = {0};
    assert_int_equal(judo_question_format("Any defect?", options, count, layout, &text),
                     JUDO_OK);
    assert_string_equal(text.bytes, wanted);
    judo_text_free(&text);
}

static void test_question__both_layouts(void **state)
{
    (void)state;
    assert_question(JUDO_OPTIONS_DICT, 2,
                    "Any defect? \n Choice: \n {'A': 'Yes.', 'B': \"It isn't.\"}");
    assert_question(JUDO_OPTIONS_LINES, 2, "Any defect?\nA. Yes.\nB. It isn't.");
    assert_question(JUDO_OPTIONS_DICT, 0, "Any defect?");
    judo_text text = {0};
    assert_int_equal(judo_question_format("?", options, 27, JUDO_OPTIONS_DICT, &text),
                     JUDO_ERROR_ARGUMENT);
    judo_text_free(&text);
}

static void test_repr__escapes_as_python_does(void **state)
{
    (void)state;
    judo_text text = {0};
    assert_int_equal(judo_python_repr(options[2], &text), JUDO_OK);
    assert_string_equal(text.bytes, "'a \"b\" \\'c\\'\\n\\\\\\xa0\xc3\xa9'");
    judo_text_clear(&text);
    assert_int_equal(
        judo_python_repr("\x01\xe2\x80\x8b\xf3\xa0\x80\x81\xf0\x9f\x98\x80", &text), JUDO_OK);
    assert_string_equal(text.bytes, "'\\x01\\u200b\\U000e0001\xf0\x9f\x98\x80'");
    assert_int_equal(judo_python_repr("\xff", &text), JUDO_ERROR_FORMAT);
    judo_text_free(&text);
}

/* The prompt's shape: a system message, then images and one text. */
static void assert_shape(const judo_prompt *prompt, int32_t num_images)
{
    assert_int_equal(prompt->num_messages, 2);
    assert_string_equal(prompt->messages[0].role, "system");
    assert_string_equal(prompt->messages[1].role, "user");
    assert_int_equal(prompt->messages[1].num_parts, num_images + 1);
    for (int32_t i = 0; i < num_images; i++) {
        assert_int_equal(prompt->messages[1].parts[i].kind, JUDO_CHAT_IMAGE);
    }
    assert_int_equal(prompt->messages[1].parts[num_images].kind, JUDO_CHAT_TEXT);
}

static const char *user_text(const judo_prompt *prompt)
{
    const judo_chat_message *user = &prompt->messages[1];
    return user->parts[user->num_parts - 1].text;
}

static void test_prompts__ask_for_the_tags_in_order(void **state)
{
    (void)state;
    judo_prompt_spec spec = {.style = JUDO_PROMPTS_JUDO, .options = JUDO_OPTIONS_LINES};
    judo_prompt prompt = {0};
    assert_int_equal(judo_prompt_choice(&spec, "Any defect?", options, 2, &prompt), JUDO_OK);
    assert_shape(&prompt, 2);
    const char *system = prompt.messages[0].parts[0].text;
    const char *seg = strstr(system, "<seg>");
    const char *think = strstr(system, "<think>");
    const char *answer = strstr(system, "<answer>");
    assert_true(seg != NULL && think != NULL && answer != NULL && seg < think &&
                think < answer);
    assert_non_null(strstr(system, "16\xc3\x97"
                                   "16"));
    assert_string_equal(user_text(&prompt),
                        "\nFirst image = QUERY; Second image = NORMAL template.\n"
                        "Question: Any defect?\nA. Yes.\nB. It isn't.");
    judo_prompt_free(&prompt);

    assert_int_equal(judo_prompt_segmentation(&spec, &prompt), JUDO_OK);
    assert_shape(&prompt, 2);
    system = prompt.messages[0].parts[0].text;
    assert_true(strstr(system, "<seg>") < strstr(system, "<think>"));
    assert_null(strstr(system, "<answer>"));
    judo_prompt_free(&prompt);

    assert_int_equal(judo_prompt_domain_qa(&spec, 1, "What is it made of?", &prompt), JUDO_OK);
    assert_shape(&prompt, 1);
    assert_null(strstr(prompt.messages[0].parts[0].text, "<seg>"));
    assert_non_null(strstr(user_text(&prompt), "\n\nQuestion: What is it made of?"));
    judo_prompt_free(&prompt);
}

static void test_prompts__compact_and_domain_text(void **state)
{
    (void)state;
    judo_prompt_spec spec = {.style = JUDO_PROMPTS_COMPACT, .domain = "Tiles are grey."};
    judo_prompt prompt = {0};
    assert_int_equal(judo_prompt_choice(&spec, "Any?", options, 1, &prompt), JUDO_OK);
    assert_shape(&prompt, 2);
    assert_string_equal(prompt.messages[0].parts[0].text, "Inspect.");
    assert_string_equal(user_text(&prompt), "Query, normal. Tiles are grey. Any? \n Choice: \n "
                                            "{'A': 'Yes.'}\nMark the anomaly, think, answer.");
    assert_int_equal(judo_prompt_reply(&prompt, "B"), JUDO_OK);
    assert_int_equal(prompt.num_messages, 3);
    assert_string_equal(prompt.messages[2].role, "assistant");
    assert_string_equal(prompt.messages[2].parts[0].text, "B");
    assert_int_equal(judo_prompt_reply(&prompt, "B"), JUDO_ERROR_ARGUMENT);
    judo_prompt_free(&prompt);
    spec.style = JUDO_PROMPTS_JUDO;
    assert_int_equal(judo_prompt_choice(&spec, "Any?", options, 1, &prompt), JUDO_OK);
    assert_true(strstr(user_text(&prompt), "Tiles are grey.") <
                strstr(user_text(&prompt), "Question: Any?"));
    judo_prompt_free(&prompt);
}

static void test_targets__reference_and_paper_style(void **state)
{
    (void)state;
    judo_text text = {0};
    assert_int_equal(
        judo_target_full(JUDO_TARGETS_REFERENCE, "(1,2) , (3,4)", "Why.", 'C', &text), JUDO_OK);
    assert_string_equal(text.bytes, "<seg> (1,2) , (3,4) </seg>\n<think> Why. </think>\n"
                                    "<answer>C</answer>");
    judo_text_clear(&text);
    assert_int_equal(judo_target_full(JUDO_TARGETS_PAPER, "None", "Why.", 'A', &text), JUDO_OK);
    assert_string_equal(text.bytes, "<seg>None</seg><think>Why.</think><answer>A</answer>");
    judo_text_clear(&text);
    assert_int_equal(judo_target_segmentation(JUDO_TARGETS_REFERENCE, "None", "T", &text),
                     JUDO_OK);
    assert_string_equal(text.bytes, "<seg> None </seg>\n<think> T </think>");
    judo_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question__both_layouts),
        cmocka_unit_test(test_repr__escapes_as_python_does),
        cmocka_unit_test(test_prompts__ask_for_the_tags_in_order),
        cmocka_unit_test(test_prompts__compact_and_domain_text),
        cmocka_unit_test(test_targets__reference_and_paper_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
