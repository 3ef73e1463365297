/* eval/sequence_match.h: how alike two texts are, as Python's difflib measures it. */
#ifndef JUDO_EVAL_SEQUENCE_MATCH_H
#define JUDO_EVAL_SEQUENCE_MATCH_H

#include "rewards/span_math.h"
#include "runtime/status.h"

/* SequenceMatcher(None, a, b).ratio(): 2 M / (len a + len b) with M code points in matching
 * blocks; in a `b` of 200 or more, code points that make up over 1% of it start no match.
 * JUDO_ERROR_MEMORY. */
judo_status judo_sequence_ratio(judo_span a, judo_span b, double *out) JUDO_MUST_CHECK;

#endif
