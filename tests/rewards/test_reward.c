/* tests/rewards/test_reward.c: definitions, recipes, totals, and scoring in batches. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rewards/score.h"

static judo_reward_rules rules_of(judo_reward_recipe recipe, judo_reward_definition definition)
{
    judo_reward_rules rules;
    judo_reward_config config = judo_reward_config_of(recipe, definition);
    assert_int_equal(judo_reward_rules_resolve(&config, &rules), JUDO_OK);
    return rules;
}

static judo_reward_values evaluate(judo_reward_recipe recipe, judo_reward_definition definition,
                                   const char *text, char answer, const char *gold,
                                   float cosine)
{
    judo_reward_rules rules = rules_of(recipe, definition);
    judo_completion_facts facts = {
        .text = text, .length = strlen(text), .answer = answer, .cosine = cosine};
    judo_cells_syntax syntax = {.en_dash = true};
    assert_true(judo_cells_read_list(judo_span_of(gold, strlen(gold)), syntax, &facts.gold));
    judo_reward_values values;
    judo_rewards_evaluate(&rules, &facts, &values);
    return values;
}

static double structure(const char *think, const char *answer, char gold)
{
    char text[512];
    snprintf(text, sizeof text, "<think>%s</think><answer>%s</answer>", think, answer);
    return evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE, text, gold, "", NAN)
        .value[JUDO_REWARD_STRUCTURE];
}

static void test_structure__measured_rows_of_the_reference(void **state)
{
    (void)state;
    const char *think = "there is a long scratch on the left, so the answer is B.";
    assert_true(structure(think, "B", 'B') == 1.0);
    assert_true(structure(think, "A", 'B') == 0.0);
    assert_true(structure("there is a long scratch, so the answer is A.", "A", 'B') == 0.1);
    assert_true(structure("there is a long scratch, so the answer is A.", "B", 'B') == 0.0);
    assert_true(structure("nothing to see here", "B", 'B') == 0.8);
    assert_true(structure("nothing to see here", "A", 'B') == 0.05);
    assert_true(structure("", "B", 'B') == 0.8);
    assert_true(structure("The answer is B because it is broken at the left end", "B", 'B') ==
                0.2);
    assert_true(structure("A scratch is seen, so the answer is B.", "B", 'B') == 0.0);
}

static void test_reference__an_answer_alone_earns_choice_and_part_of_structure(void **state)
{
    (void)state;
    judo_reward_values v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE,
                                    "<answer>B</answer>", 'B', "(1,1)", 0.9f);
    assert_true(v.value[JUDO_REWARD_CHOICE] == 1.0);
    assert_true(v.value[JUDO_REWARD_STRUCTURE] == 0.8);
    assert_true(v.value[JUDO_REWARD_FORMAT] == 0.0);
    assert_true(v.value[JUDO_REWARD_DOMAIN] == 0.0);
    v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE,
                 "<answer>A</answer><answer>B</answer>", 'B', "", NAN);
    assert_true(v.value[JUDO_REWARD_CHOICE] == 1.0);
    assert_true(v.value[JUDO_REWARD_SEGMENTATION] == 1.0); /* a missing tag is an empty set */
}

static const char *const perfect =
    "<seg>(3,7)-(3,8), (5,8)</seg>\n<think>The template is smooth; the query shows a long "
    "scratch, so the answer is B.</think>\n<answer>B</answer>";

static void test_reference__the_best_completion_earns_three_point_three(void **state)
{
    (void)state;
    judo_reward_values v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE, perfect, 'B',
                                    "(3,7)-(3,8), (5,8)", 1.0f);
    assert_true(fabs(v.total - 3.3) < 1e-12);
    assert_int_equal(v.predicted_answer, 'B');
    assert_int_equal(v.think_answer, 'B');
    v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE, perfect, 'B', "(3,7)", -0.5f);
    assert_true(fabs(v.value[JUDO_REWARD_DOMAIN] + 0.05) < 1e-12);
    assert_true(fabs(v.value[JUDO_REWARD_SEGMENTATION] - (0.2 + 0.8 * 0.5)) < 1e-12);
}

static void test_paper__cosine_below_the_threshold_earns_nothing(void **state)
{
    (void)state;
    judo_reward_values v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER, perfect, 'B',
                                    "(3,7)-(3,8), (5,8)", 0.49f);
    assert_true(v.value[JUDO_REWARD_DOMAIN] == 0.0);
    v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER, perfect, 'B', "(9,9)", 0.5f);
    assert_true(v.value[JUDO_REWARD_DOMAIN] == 0.5);
    assert_true(v.value[JUDO_REWARD_SEGMENTATION] == 0.2);
    v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER, "<answer>B</answer>", 'B', "", NAN);
    assert_true(v.value[JUDO_REWARD_SEGMENTATION] == 0.0); /* no tag is malformed */
    assert_true(v.value[JUDO_REWARD_STRUCTURE] == 0.0);
    v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER,
                 "<seg>None</seg><think>good</think><answer>B</answer>", 'B', "", NAN);
    assert_true(v.value[JUDO_REWARD_SEGMENTATION] == 1.0);
    assert_true(v.value[JUDO_REWARD_FORMAT] == 0.2);
}

static void test_total__a_reward_without_a_value_is_left_out(void **state)
{
    (void)state;
    judo_reward_values v = evaluate(JUDO_RECIPE_JUDO, JUDO_DEFINITION_REFERENCE, perfect, 'B',
                                    "(3,7)-(3,8), (5,8)", NAN);
    assert_true(isnan(v.value[JUDO_REWARD_DOMAIN]));
    assert_true(fabs(v.total - 3.2) < 1e-12);
}

static void test_recipes__only_their_rewards_count(void **state)
{
    (void)state;
    judo_reward_values v =
        evaluate(JUDO_RECIPE_GRPO, JUDO_DEFINITION_REFERENCE, perfect, 'B', "", 1.0f);
    assert_true(fabs(v.total - 1.2) < 1e-12);
    v = evaluate(JUDO_RECIPE_ANOMALYR1, JUDO_DEFINITION_REFERENCE,
                 "<think>A scratch, so the answer is B.</think> <answer>B</answer>", 'B', "",
                 NAN);
    assert_true(v.total == 2.0); /* neither lazy nor early rule */
    v = evaluate(JUDO_RECIPE_ANOMALYR1, JUDO_DEFINITION_REFERENCE, "<answer>B</answer>", 'B',
                 "", NAN);
    assert_true(v.total == 0.0);
    judo_reward_rules rules = rules_of(JUDO_RECIPE_GRPO, JUDO_DEFINITION_PAPER);
    assert_int_equal(judo_rewards_needs(&rules), JUDO_NEEDS_ANSWER);
}

static void test_config__overrides_and_an_empty_recipe(void **state)
{
    (void)state;
    judo_reward_config config = judo_reward_config_of(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER);
    judo_reward_rules rules;
    config.weights[JUDO_REWARD_DOMAIN] = 0;
    config.weights[JUDO_REWARD_CHOICE] = 2.5;
    config.domain_threshold = -1;
    config.format_scale = 0.7;
    assert_int_equal(judo_reward_rules_resolve(&config, &rules), JUDO_OK);
    assert_true(rules.weights[JUDO_REWARD_DOMAIN] == 0 &&
                rules.weights[JUDO_REWARD_CHOICE] == 2.5);
    assert_true(rules.domain.threshold == -1 && rules.format_scale == 0.7);
    memset(config.weights, 0, sizeof config.weights);
    assert_int_equal(judo_reward_rules_resolve(&config, &rules), JUDO_ERROR_CONFIG);

    judo_config_field fields[JUDO_REWARD_CONFIG_NUM_FIELDS + 1];
    judo_reward_config_fields(64, fields);
    assert_string_equal(fields[0].key, "rewards.preset");
    assert_int_equal(fields[0].offset, 64);
    assert_null(fields[JUDO_REWARD_CONFIG_NUM_FIELDS].key);
}

/* Embeds a text as the unit vector of its first letter; counts what it was asked for. */
static judo_status embed(void *context, const judo_span *texts, int64_t count, float *rows)
{
    *(int64_t *)context += count;
    for (int64_t i = 0; i < count; i++) {
        memset(rows + i * JUDO_EMBEDDING_SIZE, 0, JUDO_EMBEDDING_SIZE * sizeof(float));
        rows[i * JUDO_EMBEDDING_SIZE + (unsigned char)texts[i].text[0]] = 2.0f;
    }
    return JUDO_OK;
}

static void test_score__embeds_thinks_and_each_rationale_once(void **state)
{
    (void)state;
    const char *same = "<think> x same letter</think>";
    const char *other = "<think>y other letter</think>";
    const char *none = "no tags at all";
    const char *rationale = "x marks";
    judo_completion_facts facts[] = {
        {.text = same, .cosine = NAN, .rationale = rationale},
        {.text = none, .cosine = NAN, .rationale = rationale},
        {.text = other, .cosine = NAN, .rationale = rationale},
        {.text = same, .cosine = NAN},
        {.text = same, .cosine = 0.75f, .rationale = rationale},
    };
    for (int i = 0; i < 5; i++) {
        facts[i].length = strlen(facts[i].text);
        facts[i].answer = 'A';
    }
    judo_reward_values values[5];
    int64_t embedded = 0;
    judo_embedder embedder = {embed, &embedded};
    judo_reward_rules rules = rules_of(JUDO_RECIPE_JUDO, JUDO_DEFINITION_PAPER);
    assert_int_equal(judo_rewards_score(&rules, facts, 5, &embedder, values), JUDO_OK);
    assert_int_equal(embedded, 3);
    assert_true(values[0].value[JUDO_REWARD_DOMAIN] == 1.0);
    assert_true(values[1].value[JUDO_REWARD_DOMAIN] == 0.0);
    assert_true(values[2].value[JUDO_REWARD_DOMAIN] == 0.0);
    assert_true(isnan(values[3].value[JUDO_REWARD_DOMAIN]));
    assert_true(values[4].value[JUDO_REWARD_DOMAIN] == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure__measured_rows_of_the_reference),
        cmocka_unit_test(test_reference__an_answer_alone_earns_choice_and_part_of_structure),
        cmocka_unit_test(test_reference__the_best_completion_earns_three_point_three),
        cmocka_unit_test(test_paper__cosine_below_the_threshold_earns_nothing),
        cmocka_unit_test(test_total__a_reward_without_a_value_is_left_out),
        cmocka_unit_test(test_recipes__only_their_rewards_count),
        cmocka_unit_test(test_config__overrides_and_an_empty_recipe),
        cmocka_unit_test(test_score__embeds_thinks_and_each_rationale_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
