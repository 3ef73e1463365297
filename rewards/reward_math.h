/* rewards/reward_math.h: a completion through all rewards, in steps that do not depend on each
 * other, for the host and the device. The arithmetic is that of the other _math.h files. */
#ifndef JUDO_REWARDS_REWARD_MATH_H
#define JUDO_REWARDS_REWARD_MATH_H

#include "rewards/format_math.h"
#include "rewards/reward_config.h"

typedef struct judo_reward_values {
    double value[JUDO_NUM_REWARDS]; /* unweighted; NaN: not applicable */
    double total;         /* sum of weight * value over the rewards that are not NaN */
    judo_cells predicted; /* empty unless cells_state is JUDO_CELLS_READ */
    judo_cells_state cells_state;
    uint32_t predicted_answer; /* code point, 0: none */
    uint32_t think_answer;     /* what the reasoning concludes on */
    float cosine;              /* as used; NaN when there was none */
} judo_reward_values;

/* What several rewards look at, parsed once per completion. */
typedef struct judo_completion_parts {
    judo_conclusions conclusions;
    judo_cells_state cells_state;
    judo_cells predicted;
    double format;
    judo_span think; /* that the domain reward compares; text NULL: none */
} judo_completion_parts;

/* The parts, one by one. */
enum { JUDO_COMPLETION_PARTS = 4 };

static inline JUDO_HD void judo_completion_parse(const judo_reward_rules *rules, judo_span text,
                                                 int part, judo_completion_parts *out)
{
    if (part == 0) {
        out->conclusions = judo_conclusions_of(text, rules->chinese_keywords);
    } else if (part == 1) {
        out->cells_state =
            judo_cells_read_tag(text, rules->segmentation.syntax, &out->predicted);
    } else if (part == 2) {
        out->format = judo_format_value(text, rules->format_is_whole, rules->format_scale);
    } else {
        out->think = judo_domain_think(&rules->domain, text);
    }
}

/* All but the domain reward and the total. */
static inline JUDO_HD void judo_reward_values_of(const judo_reward_rules *rules,
                                                 const judo_completion_parts *parts,
                                                 uint32_t answer, const judo_cells *gold,
                                                 judo_reward_values *out)
{
    out->value[JUDO_REWARD_CHOICE] =
        judo_choice_value(&parts->conclusions, answer, rules->choice_needs_tags);
    out->value[JUDO_REWARD_FORMAT] = parts->format;
    out->value[JUDO_REWARD_STRUCTURE] =
        judo_structure_value(&rules->structure, &parts->conclusions, answer);
    out->value[JUDO_REWARD_SEGMENTATION] = judo_segmentation_value(
        &rules->segmentation, parts->cells_state, &parts->predicted, gold);
    out->predicted = parts->predicted;
    out->cells_state = parts->cells_state;
    out->predicted_answer = parts->conclusions.answer_choice;
    out->think_answer = parts->conclusions.think_choice;
}

#endif
