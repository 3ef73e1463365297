/* rewards/reward.c: the registry, and one completion through all of it. */
#include "rewards/reward.h"

#include <math.h>

#include "rewards/format_math.h"

static double choice(const judo_reward_rules *rules, const judo_completion_facts *facts,
                     const judo_completion_parts *parts)
{
    return judo_choice_value(&parts->conclusions, (unsigned char)facts->answer,
                             rules->choice_needs_tags);
}

static double format(const judo_reward_rules *rules, const judo_completion_facts *facts,
                     const judo_completion_parts *parts)
{
    (void)facts;
    return judo_format_value(parts->text, rules->format_is_whole, rules->format_scale);
}

static double structure(const judo_reward_rules *rules, const judo_completion_facts *facts,
                        const judo_completion_parts *parts)
{
    return judo_structure_value(&rules->structure, &parts->conclusions,
                                (unsigned char)facts->answer);
}

static double segmentation(const judo_reward_rules *rules, const judo_completion_facts *facts,
                           const judo_completion_parts *parts)
{
    return judo_segmentation_value(&rules->segmentation, parts->cells_state, &parts->predicted,
                                   &facts->gold);
}

static double domain(const judo_reward_rules *rules, const judo_completion_facts *facts,
                     const judo_completion_parts *parts)
{
    judo_span think = judo_domain_think(&rules->domain, parts->text);
    return judo_domain_value(&rules->domain, think, (double)facts->cosine);
}

const judo_reward judo_rewards[JUDO_NUM_REWARDS] = {
    [JUDO_REWARD_CHOICE] = {"choice", JUDO_NEEDS_ANSWER, choice},
    [JUDO_REWARD_FORMAT] = {"format", 0, format},
    [JUDO_REWARD_STRUCTURE] = {"structure", JUDO_NEEDS_ANSWER, structure},
    [JUDO_REWARD_SEGMENTATION] = {"segmentation", JUDO_NEEDS_CELLS, segmentation},
    [JUDO_REWARD_DOMAIN] = {"domain", JUDO_NEEDS_COSINE, domain},
};

int judo_rewards_needs(const judo_reward_rules *rules)
{
    int needs = 0;
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        needs |= rules->weights[i] > 0 ? judo_rewards[i].needs : 0;
    }
    return needs;
}

judo_span judo_rewards_think(const judo_reward_rules *rules, const char *text, size_t length)
{
    return judo_domain_think(&rules->domain, judo_span_of(text, length));
}

void judo_rewards_evaluate(const judo_reward_rules *rules, const judo_completion_facts *facts,
                           judo_reward_values *out)
{
    judo_span text = judo_span_of(facts->text, facts->length);
    judo_completion_parts parts = {
        .text = text, .conclusions = judo_conclusions_of(text, rules->chinese_keywords)};
    parts.cells_state = judo_cells_read_tag(text, rules->segmentation.syntax, &parts.predicted);

    out->total = NAN;
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        double value = judo_rewards[i].evaluate(rules, facts, &parts);
        out->value[i] = value;
        if (rules->weights[i] > 0 && !isnan(value)) {
            out->total = (isnan(out->total) ? 0.0 : out->total) + rules->weights[i] * value;
        }
    }
    out->predicted = parts.predicted;
    out->cells_state = parts.cells_state;
    out->predicted_answer = parts.conclusions.answer_choice;
    out->think_answer = parts.conclusions.think_choice;
    out->cosine = facts->cosine;
}
