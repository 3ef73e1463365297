/* rewards/format_math.h: does the completion have the form that was asked for? */
#ifndef JUDO_REWARDS_FORMAT_MATH_H
#define JUDO_REWARDS_FORMAT_MATH_H

#include "rewards/tags_math.h"

/* whole: the tags are the whole output, each once (the paper); otherwise their order is enough
 * (the reference code). */
static inline JUDO_HD double judo_format_value(judo_span completion, bool whole, double scale)
{
    bool holds = whole ? judo_tags_whole(completion) : judo_tags_in_order(completion);
    return holds ? scale : 0.0;
}

#endif
