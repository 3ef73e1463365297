/* stages/plan_report.h: what a planned job is beside its table of memory, and whether it fits.
 */
#ifndef JUDO_STAGES_PLAN_REPORT_H
#define JUDO_STAGES_PLAN_REPORT_H

#include "stages/memory_plan.h"
#include "stages/stage.h"

/* Logs host memory beside a GPU, parameters, bytes of a checkpoint and steps of a job of
 * judo_job_plan; if job->rank_memory is given, how much of it is left, or JUDO_ERROR_MEMORY
 * saying how much is missing. Collective. */
judo_status judo_plan_report(const judo_job *job, const judo_memory_plan *plan) JUDO_MUST_CHECK;

#endif
