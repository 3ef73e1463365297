/* tests/rewards/test_answer_parse.c: every measured row of the reference code's parsing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rewards/cells_text_math.h"
#include "rewards/choice_math.h"
#include "rewards/structure_math.h"

static judo_span text_of(const char *text)
{
    return judo_span_of(text, strlen(text));
}

static const judo_cells_syntax reference = {.one_line = true};
static const judo_cells_syntax paper = {.en_dash = true};

/* Number of cells, or -1 malformed, -2 no tag. */
static int count(const char *content, judo_cells_syntax syntax)
{
    char completion[256];
    judo_cells cells;
    snprintf(completion, sizeof completion, "<seg>%s</seg>", content);
    judo_cells_state state = judo_cells_read_tag(text_of(completion), syntax, &cells);
    if (state != JUDO_CELLS_READ) {
        assert_int_equal(judo_cells_count(&cells), 0);
        return state == JUDO_CELLS_MISSING ? -2 : -1;
    }
    return judo_cells_count(&cells);
}

static void test_cells__empty_forms_are_read_as_no_cell(void **state)
{
    (void)state;
    const char *forms[] = {"None", "none", "NONE", "", "  ", " None ", ",", " , ,"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_int_equal(count(forms[i], reference), 0);
        assert_int_equal(count(forms[i], paper), 0);
    }
    judo_cells cells;
    assert_int_equal(judo_cells_read_tag(text_of("no tag"), reference, &cells),
                     JUDO_CELLS_MISSING);
}

static void test_cells__accepted_forms(void **state)
{
    (void)state;
    assert_int_equal(count("(3,7)-(3,8), (4,7)-(4,8), (5,8)", reference), 5);
    assert_int_equal(count("(11,12)-(11,14), (12,11)", reference), 4);
    assert_int_equal(count("(1,2),,(3,4),", reference), 2);
    assert_int_equal(count("((1,2))", reference), 1);
    assert_int_equal(count("( 1 , 2 )", reference), 1);
    assert_int_equal(count("(01,+2)", reference), 1);
    assert_int_equal(count("(1,1_0)", reference), 1);
    assert_int_equal(count("(\xEF\xBC\x93,4)", reference), 1); /* full-width 3 */
    assert_int_equal(count("(1,2), (1,2), (1,1)-(1,3)", reference), 3);
    assert_int_equal(count(" (16,1)-(16,16) ", reference), 16);
}

static void test_cells__malformed_forms(void **state)
{
    (void)state;
    const char *forms[] = {"(3,8)-(3,7)",
                           "(1,2\x1c)", /* int() does not strip what str.strip() does */
                           "(3,7)-(4,8)",
                           "(0,1)",
                           "(17,1)",
                           "(1,2) (3,4)",
                           "1,2",
                           "(1)",
                           "(1,2,3)",
                           "(1.0,2)",
                           "None.",
                           "No anomaly",
                           "(1,2),None",
                           "(1,2)-(1,5)-(1,7)",
                           "(1,-2)",
                           "(1,1__0)",
                           "(1,_1)",
                           "(1,1_)",
                           "(99999999999999999999,1)",
                           "(1,2)-",
                           "-(1,2)"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_int_equal(count(forms[i], reference), -1);
        assert_int_equal(count(forms[i], paper), -1);
    }
}

static void test_cells__paper_and_reference_differ_on_newlines_and_the_en_dash(void **state)
{
    (void)state;
    assert_int_equal(count("(3,7)\xE2\x80\x93(3,8)", reference), -1);
    assert_int_equal(count("(3,7)\xE2\x80\x93(3,8)", paper), 2);
    assert_int_equal(count("(3,7),\n(3,8)", reference), -2);
    assert_int_equal(count("(3,7),\n(3,8)", paper), 2);
    judo_cells cells;
    assert_int_equal(
        judo_cells_read_tag(text_of("<seg>\n</seg> <seg>(1,2)</seg>"), reference, &cells),
        JUDO_CELLS_READ);
    assert_int_equal(judo_cells_count(&cells), 1);
    assert_true(judo_cells_has(&cells, 0, 1));
}

static void test_cells__commas_without_end_take_linear_time(void **state)
{
    (void)state;

    enum { LENGTH = 1 << 20 };

    static char text[LENGTH + 16];
    memcpy(text, "<seg>", 5);
    memset(text + 5, ',', LENGTH);
    memcpy(text + 5 + LENGTH, "</seg>", 7);
    judo_cells cells;
    assert_int_equal(judo_cells_read_tag(text_of(text), reference, &cells), JUDO_CELLS_READ);
}

static uint32_t choice(const char *text)
{
    return judo_extract_choice(text_of(text), false);
}

static void test_extract_choice__measured_rows(void **state)
{
    (void)state;
    assert_int_equal(choice(""), 0);
    assert_int_equal(choice("A or B"), 'B');
    assert_int_equal(choice("Answer: B or A"), 'A');
    assert_int_equal(choice("A, B"), 'B');
    assert_int_equal(choice("A|B|C|D"), 'D');
    assert_int_equal(choice("BAD"), 'B');
    assert_int_equal(choice("Yes"), 0);
    assert_int_equal(choice("a"),
                     'a'); /* shorter than 3: the first character, whatever it is */
    assert_int_equal(choice("E"), 'E');
    assert_int_equal(choice("X."), 'X');
    assert_int_equal(choice(".B"), 'B');
    assert_int_equal(choice("?!"), 0);
    assert_int_equal(choice("the answer is B."), 'B');
}

static void test_extract_choice__a_letter_scores_once_per_occurrence(void **state)
{
    (void)state;
    /* A stands twice with a comma behind its last place: 2 points; B is late: 2; A came first.
     */
    assert_int_equal(choice("A then A, xxxxxxxxxxxxxxxxxxxx B x"), 'A');
    assert_int_equal(choice("xx then A, xxxxxxxxxxxxxxxxxxxx B x"), 'B');
}

static void test_extract_choice__chinese_keywords_count_only_when_asked_for(void **state)
{
    (void)state;
    /* "the correct answer is A", then a late B */
    const char *text = "\xE6\xAD\xA3\xE7\xA1\xAE\xE7\xAD\x94\xE6\xA1\x88\xE6\x98\xAF"
                       " A xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx B x";
    assert_int_equal(judo_extract_choice(text_of(text), false), 'B');
    assert_int_equal(judo_extract_choice(text_of(text), true), 'A');
}

static void test_tags__last_match_and_nesting_follow_the_regular_expression(void **state)
{
    (void)state;
    judo_span found = judo_tag_last(text_of("<think>a</think><think>b<think>c</think></think>"),
                                    "<think>", "</think>");
    assert_int_equal(found.length, strlen("b<think>c"));
    assert_memory_equal(found.text, "b<think>c", found.length);
    assert_null(judo_tag_last(text_of("</think><think>"), "<think>", "</think>").text);
    assert_true(judo_tags_in_order(text_of("x<seg></seg>y<think></think>z<answer></answer>w")));
    assert_false(judo_tags_in_order(text_of("<think></think><seg></seg><answer></answer>")));
    assert_true(judo_tags_adjacent(
        text_of("<seg>1</seg> x </seg>\n<think></think> \t<answer></answer>")));
    assert_false(
        judo_tags_adjacent(text_of("<seg>1</seg> x <think></think><answer></answer>")));
    assert_true(
        judo_tags_whole(text_of(" <seg>None</seg>\n<think>t</think>\n<answer>A</answer>\n")));
    assert_false(
        judo_tags_whole(text_of("<seg>None</seg><think>t</think><answer>A</answer>.")));
    assert_false(judo_tags_whole(
        text_of("<seg></seg><think></think><think></think><answer>A</answer>")));
}

static void test_text__broken_utf8_is_read_as_replacement_characters(void **state)
{
    (void)state;
    assert_int_equal(judo_span_count(text_of("a\xFF\xC3\xA9\xE2\x82")), 5);
    size_t at = 0;
    assert_int_equal(judo_span_next(text_of("\xED\xA0\x80"), &at), 0xFFFD); /* surrogate */
    assert_int_equal(at, 1);
    at = 0;
    assert_int_equal(judo_span_next(text_of("\xF0\x9F\x98\x80"), &at), 0x1F600);
    assert_int_equal(at, 4);
}

static void test_think__early_and_lazy_rules(void **state)
{
    (void)state;
    assert_true(judo_think_is_lazy(text_of("A scratch runs over it")));
    assert_true(judo_think_is_lazy(text_of("B: it is")));
    assert_false(judo_think_is_lazy(text_of("Both are fine")));
    assert_false(judo_think_is_lazy(text_of("A")));
    assert_true(judo_think_is_early(text_of("query A defect is seen on the left side")));
    assert_true(judo_think_is_early(text_of("the PCB shows a defect on the left side")));
    assert_false(judo_think_is_early(text_of("a scratch is seen, so the answer is B.")));

    assert_false(judo_think_is_early(text_of("x AA xxxx"))); /* half: "x AA" */
    assert_true(judo_think_is_early(text_of("x Axxx")));     /* half: "x A" */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells__empty_forms_are_read_as_no_cell),
        cmocka_unit_test(test_cells__accepted_forms),
        cmocka_unit_test(test_cells__malformed_forms),
        cmocka_unit_test(test_cells__paper_and_reference_differ_on_newlines_and_the_en_dash),
        cmocka_unit_test(test_cells__commas_without_end_take_linear_time),
        cmocka_unit_test(test_extract_choice__measured_rows),
        cmocka_unit_test(test_extract_choice__a_letter_scores_once_per_occurrence),
        cmocka_unit_test(test_extract_choice__chinese_keywords_count_only_when_asked_for),
        cmocka_unit_test(test_tags__last_match_and_nesting_follow_the_regular_expression),
        cmocka_unit_test(test_text__broken_utf8_is_read_as_replacement_characters),
        cmocka_unit_test(test_think__early_and_lazy_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
