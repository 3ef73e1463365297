/* rewards/domain_math.h: how close the reasoning is to the domain rationale. */
#ifndef JUDO_REWARDS_DOMAIN_MATH_H
#define JUDO_REWARDS_DOMAIN_MATH_H

#include "rewards/tags_math.h"

typedef struct judo_domain_rule {
    double threshold; /* a lower cosine earns 0; -1: none */
    double scale;
    bool needs_tags; /* 0 unless the three tags follow each other (reference code) */
} judo_domain_rule;

/* The text to embed: the last <think>, stripped. text NULL: the reward is 0 whatever it says.
 */
static inline JUDO_HD judo_span judo_domain_think(const judo_domain_rule *rule,
                                                  judo_span completion)
{
    judo_span none = judo_span_of(NULL, 0);
    if (rule->needs_tags && !judo_tags_adjacent(completion)) {
        return none;
    }
    judo_span think = judo_tag_last(completion, "<think>", "</think>");
    return think.text == NULL ? none : judo_span_strip(think);
}

/* NaN (no rationale, or not embedded) stays NaN and counts for nothing in the total. */
static inline JUDO_HD double judo_domain_value(const judo_domain_rule *rule, judo_span think,
                                               double cosine)
{
    if (think.text == NULL || cosine < rule->threshold) {
        return 0.0;
    }
    return rule->scale * cosine;
}

#endif
