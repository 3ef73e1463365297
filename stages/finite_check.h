/* stages/finite_check.h: steps without a finite gradient.
 */
#ifndef JUDO_STAGES_FINITE_CHECK_H
#define JUDO_STAGES_FINITE_CHECK_H

#include "stages/stage.h"

/* After each step; `applied` is false, on all ranks alike, if its gradient norm was not finite
 * and so nothing was changed. Counts such steps and names the first tensor whose gradient is
 * not finite. JUDO_ERROR_NUMERIC if the weights themselves are not finite, naming the tensor,
 * or after train.max_skipped_steps of them in a row. Collective. */
judo_status judo_finite_check(judo_job *job, int64_t step, bool applied) JUDO_MUST_CHECK;

/* After a pass of this rank whose loss is not finite: a warning that names the rows of the
 * dataset that it was made of. */
void judo_finite_check_name_rows(const judo_job *job, const int64_t *rows, int64_t num_rows);

#endif
