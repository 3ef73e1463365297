/* rewards/choice_math.h: the correct letter inside the last <answer>. */
#ifndef JUDO_REWARDS_CHOICE_MATH_H
#define JUDO_REWARDS_CHOICE_MATH_H

#include "rewards/extract_choice_math.h"
#include "rewards/tags_math.h"

/* Where <think> and <answer> conclude: code points, 0 for none. */
typedef struct judo_conclusions {
    judo_span think; /* the last <think>, stripped; text NULL when there is none */
    uint32_t think_choice;
    uint32_t answer_choice;
    bool think_then_answer; /* </think>\s*<answer> holds somewhere */
} judo_conclusions;

static inline JUDO_HD judo_conclusions judo_conclusions_of(judo_span completion, bool chinese)
{
    judo_conclusions found;
    found.think = judo_tag_last(completion, "<think>", "</think>");
    found.think_choice = 0;
    found.answer_choice = 0;
    found.think_then_answer = judo_tags_think_answer(completion);
    if (found.think.text != NULL) {
        found.think = judo_span_strip(found.think);
        found.think_choice = judo_extract_choice(found.think, chinese);
    }
    judo_span answer = judo_tag_last(completion, "<answer>", "</answer>");
    if (answer.text != NULL) {
        found.answer_choice = judo_extract_choice(judo_span_strip(answer), chinese);
    }
    return found;
}

/* needs_tags: AnomalyR1 asks for <think>..</think> right before <answer>..</answer>. */
static inline JUDO_HD double judo_choice_value(const judo_conclusions *found, uint32_t gold,
                                               bool needs_tags)
{
    bool right = found->answer_choice != 0 && found->answer_choice == gold;
    return right && (found->think_then_answer || !needs_tags) ? 1.0 : 0.0;
}

#endif
