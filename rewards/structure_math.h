/* rewards/structure_math.h: does the reasoning conclude on the answer, and not too early? */
#ifndef JUDO_REWARDS_STRUCTURE_MATH_H
#define JUDO_REWARDS_STRUCTURE_MATH_H

#include "rewards/choice_math.h"

typedef struct judo_structure_rule {
    double both_right;       /* reasoning and answer conclude on the correct letter */
    double silent_right;     /* no letter in the reasoning, correct answer */
    double silent_wrong;     /* no letter in the reasoning, wrong answer */
    double consistent_wrong; /* the same wrong letter in both */
    bool needs_tags;         /* <think>..</think>\s*<answer>..</answer> or 0 (AnomalyR1) */
    bool lazy_is_zero;       /* reasoning that starts with a letter earns nothing */
    double
        early_cap; /* a letter in the first half of the reasoning caps the reward; 1: no cap */
} judo_structure_rule;

/* ^\s*[A-D][\s.:] of a stripped text. */
static inline JUDO_HD bool judo_think_is_lazy(judo_span think)
{
    if (think.length < 2 || !judo_code_is_choice((unsigned char)think.text[0])) {
        return false;
    }
    size_t at = 1;
    uint32_t code = judo_span_next(think, &at);
    return judo_code_is_space(code) || code == '.' || code == ':';
}

/* \b([A-D])\b|([A-D])[\s.:] within the first half of the code points. */
static inline JUDO_HD bool judo_think_is_early(judo_span think)
{
    size_t first_half = judo_span_count(think) / 2;
    uint32_t before = 0;
    uint32_t letter = 0; /* the previous code point when it is A-D */
    bool letter_starts_word = false;
    size_t at = 0;
    for (size_t i = 0; i < first_half; i++) {
        uint32_t code = judo_span_next(think, &at);
        bool word = judo_code_is_word(code);
        if (letter != 0 && ((letter_starts_word && !word) || judo_code_is_space(code) ||
                            code == '.' || code == ':')) {
            return true;
        }
        letter = judo_code_is_choice(code) ? code : 0;
        letter_starts_word = i == 0 || !judo_code_is_word(before);
        before = code;
    }
    return letter != 0 && letter_starts_word;
}

static inline JUDO_HD double judo_structure_table(const judo_structure_rule *rule,
                                                  const judo_conclusions *found, uint32_t gold)
{
    uint32_t think = found->think_choice;
    uint32_t answer = found->answer_choice;
    if (think == 0) {
        return answer == 0 ? 0.0 : answer == gold ? rule->silent_right : rule->silent_wrong;
    }
    if (think == answer) {
        return think == gold ? rule->both_right : rule->consistent_wrong;
    }
    return 0.0;
}

static inline JUDO_HD double judo_structure_value(const judo_structure_rule *rule,
                                                  const judo_conclusions *found, uint32_t gold)
{
    if (rule->needs_tags && !found->think_then_answer) {
        return 0.0;
    }
    bool thinks = found->think.text != NULL && found->think.length > 0;
    if (thinks && rule->lazy_is_zero && judo_think_is_lazy(found->think)) {
        return 0.0;
    }
    double value = judo_structure_table(rule, found, gold);
    if (thinks && value > rule->early_cap && judo_think_is_early(found->think)) {
        value = rule->early_cap;
    }
    return value;
}

#endif
