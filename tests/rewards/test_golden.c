/* tests/rewards/test_golden.c: random completions against Python's re, str and int
 * (tests/golden/make/rewards.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rewards/reward.h"
#include "runtime/json.h"

static judo_status read_cells(const judo_json *row, const char *key, judo_cells *cells)
{
    *cells = (judo_cells){{0}};
    const judo_json *pair = judo_json_first(judo_json_get(row, key));
    for (; pair != NULL; pair = judo_json_next(pair)) {
        double at[2] = {0, 0};
        JUDO_TRY(judo_json_as_double(judo_json_at(pair, 0), key, &at[0]));
        JUDO_TRY(judo_json_as_double(judo_json_at(pair, 1), key, &at[1]));
        judo_cells_set(cells, (int)at[0] - 1, (int)at[1] - 1);
    }
    return JUDO_OK;
}

static void check_number(const judo_json *row, const char *key, double value)
{
    double expected = NAN;
    assert_int_equal(judo_json_get_double(row, key, "golden", &expected), JUDO_OK);
    assert_true(value == expected);
}

/* The first code point of a member; 0 for null. */
static uint32_t code_of(const judo_json *row, const char *key)
{
    const char *text = NULL;
    size_t at = 0;
    assert_int_equal(judo_json_get_string_or(row, key, "golden", NULL, &text), JUDO_OK);
    return text == NULL ? 0 : judo_span_next(judo_span_of(text, strlen(text)), &at);
}

static judo_reward_values evaluate(judo_reward_recipe recipe,
                                   const judo_completion_facts *facts)
{
    judo_reward_config config = judo_reward_config_of(recipe, JUDO_DEFINITION_REFERENCE);
    judo_reward_rules rules;
    judo_reward_values values;
    assert_int_equal(judo_reward_rules_resolve(&config, &rules), JUDO_OK);
    judo_rewards_evaluate(&rules, facts, &values);
    return values;
}

static void check_text(const judo_json *row, const judo_completion_facts *facts)
{
    const char *think = NULL;
    assert_int_equal(judo_json_get_string_or(row, "think", "golden", NULL, &think), JUDO_OK);
    judo_domain_rule any = {-1, 1, false};
    judo_span found = judo_domain_think(&any, judo_span_of(facts->text, facts->length));
    assert_int_equal(found.text == NULL, think == NULL);
    if (think != NULL) {
        assert_int_equal(found.length, strlen(think));
        assert_memory_equal(found.text, think, found.length);
    }
}

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    static const char *const states[] = {"missing", "malformed", "read"};
    judo_completion_facts facts = {.cosine = 1.0f};
    judo_cells cells;
    bool adjacent = false;
    const char *state = NULL;
    JUDO_TRY(judo_json_get_string(row, "completion", "golden", &facts.text));
    facts.length = strlen(facts.text);
    facts.answer = (char)code_of(row, "gold");
    JUDO_TRY(read_cells(row, "gold_cells", &facts.gold));
    JUDO_TRY(read_cells(row, "cells", &cells));
    JUDO_TRY(judo_json_get_bool(row, "adjacent", "golden", &adjacent));
    JUDO_TRY(judo_json_get_string(row, "state", "golden", &state));
    check_text(row, &facts);
    judo_reward_values values = evaluate(JUDO_RECIPE_JUDO, &facts);
    check_number(row, "choice", values.value[JUDO_REWARD_CHOICE]);
    check_number(row, "format", values.value[JUDO_REWARD_FORMAT]);
    check_number(row, "structure", values.value[JUDO_REWARD_STRUCTURE]);
    check_number(row, "segmentation", values.value[JUDO_REWARD_SEGMENTATION]);
    assert_true(values.value[JUDO_REWARD_DOMAIN] == (adjacent ? 0.1 : 0.0));
    assert_string_equal(states[values.cells_state], state);
    assert_memory_equal(&values.predicted, &cells, sizeof cells);
    assert_int_equal(values.predicted_answer, code_of(row, "answer_choice"));
    assert_int_equal(values.think_answer, code_of(row, "think_choice"));
    values = evaluate(JUDO_RECIPE_ANOMALYR1, &facts);
    check_number(row, "other_choice", values.value[JUDO_REWARD_CHOICE]);
    check_number(row, "other_structure", values.value[JUDO_REWARD_STRUCTURE]);
    *(int64_t *)context = line;
    return JUDO_OK;
}

static void test_rewards__agree_with_python_on_random_completions(void **state)
{
    (void)state;
    int64_t lines = 0;
    assert_int_equal(judo_json_each_line("tests/golden/rewards.jsonl", check_row, &lines),
                     JUDO_OK);
    assert_true(lines >= 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewards__agree_with_python_on_random_completions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
