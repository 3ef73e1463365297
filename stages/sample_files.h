/* stages/sample_files.h: every step's completions with their reward breakdown, to be looked at.
 */
#ifndef JUDO_STAGES_SAMPLE_FILES_H
#define JUDO_STAGES_SAMPLE_FILES_H

#include "stages/rollout.h"

/* Writes RUN/samples/step-000012.jsonl with the completions of all ranks. Collective. */
judo_status judo_sample_files_write(judo_job *job, const judo_rollout *rollout,
                                    int64_t step) JUDO_MUST_CHECK;

#endif
