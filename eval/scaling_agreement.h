/* eval/scaling_agreement.h: whether runs on different ranks learnt the same. Private to eval.
 */
#ifndef JUDO_EVAL_SCALING_AGREEMENT_H
#define JUDO_EVAL_SCALING_AGREEMENT_H

#include "eval/scaling.h"
#include "eval/scaling_run.h"

/* Sets `agrees`, `difference` and `verdict` of the points and of the whole. Each of the runs,
 * which are in the order of the points, is compared with the first that has the same batch. */
void judo_scaling_agree(const judo_scaling_run *runs, int num_runs, judo_scaling *out);

#endif
