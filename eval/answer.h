/* eval/answer.h: reading the chosen letter out of an evaluation completion, as the published
 * scripts do. */
#ifndef JUDO_EVAL_ANSWER_H
#define JUDO_EVAL_ANSWER_H

#include "rewards/span_math.h"
#include "runtime/status.h"

typedef enum judo_answer_mode {
    JUDO_ANSWER_JUDO, /* <answer>X</answer> without blanks, else the first A-D that stands alone
                       */
    JUDO_ANSWER_MMAD, /* the last A-E that stands alone, else the option closest to the text */
} judo_answer_mode;

/* options: texts by letter from 'A' on; used by JUDO_ANSWER_MMAD only (0: none known). *out is
 * the letter, or 0 when there is none. */
judo_status judo_answer_read(judo_answer_mode mode, judo_span completion,
                             const char *const *options, int num_options,
                             char *out) JUDO_MUST_CHECK;

#endif
