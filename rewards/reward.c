/* rewards/reward.c: the registry, and one completion through all of it. */
#include "rewards/reward.h"

#include <math.h>

const judo_reward judo_rewards[JUDO_NUM_REWARDS] = {
    [JUDO_REWARD_CHOICE] = {"choice", JUDO_NEEDS_ANSWER},
    [JUDO_REWARD_FORMAT] = {"format", 0},
    [JUDO_REWARD_STRUCTURE] = {"structure", JUDO_NEEDS_ANSWER},
    [JUDO_REWARD_SEGMENTATION] = {"segmentation", JUDO_NEEDS_CELLS},
    [JUDO_REWARD_DOMAIN] = {"domain", JUDO_NEEDS_COSINE},
};

int judo_rewards_needs(const judo_reward_rules *rules)
{
    int needs = 0;
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        needs |= rules->weights[i] > 0 ? judo_rewards[i].needs : 0;
    }
    return needs;
}

judo_span judo_rewards_read(const judo_reward_rules *rules, const judo_completion_facts *facts,
                            judo_reward_values *out)
{
    judo_completion_parts parts = {.format = 0.0};
    judo_span text = judo_span_of(facts->text, facts->length);
    for (int part = 0; part < JUDO_COMPLETION_PARTS; part++) {
        judo_completion_parse(rules, text, part, &parts);
    }
    judo_reward_values_of(rules, &parts, (unsigned char)facts->answer, &facts->gold, out);
    return parts.think;
}

void judo_rewards_complete(const judo_reward_rules *rules, judo_span think, float cosine,
                           judo_reward_values *out)
{
    out->value[JUDO_REWARD_DOMAIN] = judo_domain_value(&rules->domain, think, (double)cosine);
    out->cosine = cosine;
    out->total = NAN;
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        if (rules->weights[i] > 0 && !isnan(out->value[i])) {
            out->total =
                (isnan(out->total) ? 0.0 : out->total) + rules->weights[i] * out->value[i];
        }
    }
}

void judo_rewards_evaluate(const judo_reward_rules *rules, const judo_completion_facts *facts,
                           judo_reward_values *out)
{
    judo_span think = judo_rewards_read(rules, facts, out);
    judo_rewards_complete(rules, think, facts->cosine, out);
}
