/* stages/finite_check.c: skips, and when they end the run.
 */
#include "stages/finite_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "parallel/agree.h"

static judo_status check_range(void *context, int param, int64_t first, int64_t count,
                               const float *weights)
{
    const judo_param_layout *layout = context;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(weights[i])) {
            return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                             "%s: element %" PRId64
                             " is not finite: the model that training began with is damaged; "
                             "check it with 'judo inspect MODEL'",
                             layout->params[param].name, first + i);
        }
    }
    return JUDO_OK;
}

void judo_finite_check_name_rows(const judo_job *job, const int64_t *rows, int64_t num_rows)
{
    char list[256] = "";
    size_t length = 0;
    for (int64_t i = 0; i < num_rows && length < sizeof list; i++) {
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%" PRId64,
                                   i == 0 ? "" : ", ", rows[i]);
    }
    JUDO_WARNING("the loss of row%s %s of %s is not finite", num_rows == 1 ? "" : "s", list,
                 job->config->data.path);
}

/* Collective. */
static judo_status warn(judo_job *job, const judo_param_layout *layout, int64_t step)
{
    int param = -1;
    JUDO_TRY(judo_zero3_damaged_gradient(job->zero, &param));
    if (judo_log_is_chief()) {
        JUDO_WARNING("step %" PRId64
                     ": the gradient norm is not finite, the first gradient that is not is "
                     "that of %s; the step changes nothing",
                     step, param >= 0 ? layout->params[param].name : "none by itself");
    }
    return JUDO_OK;
}

judo_status judo_finite_check(judo_job *job, int64_t step, bool applied)
{
    const judo_param_layout *layout = judo_model_layout(job->model);
    int64_t most = job->config->train.max_skipped_steps;
    if (applied) {
        job->skipped_in_a_row = 0;
        return JUDO_OK;
    }
    job->skipped++;
    job->skipped_in_a_row++;
    judo_metrics_put(job->metrics, "skipped", (double)job->skipped);
    JUDO_TRY(warn(job, layout, step));
    JUDO_TRY(judo_agree(job->comm,
                        judo_zero3_for_each_owned(job->zero, check_range, (void *)layout)));
    if (job->skipped_in_a_row >= most) {
        return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                         "step %" PRId64 ": no finite gradient in %" PRId64
                         " steps in a row; lower optimizer.learning_rate or look at the data "
                         "of these steps",
                         step, job->skipped_in_a_row);
    }
    return JUDO_OK;
}
