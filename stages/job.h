/* stages/job.h: opening and closing what a training job stands on. */
#ifndef JUDO_STAGES_JOB_H
#define JUDO_STAGES_JOB_H

#include "stages/memory_plan.h"
#include "stages/stage.h"

/* Opens tokenizer, processor, dataset, model and sharded parameters, and checks that they fit
 * each other. The weights are not loaded yet. Collective: all ranks return the same status. */
judo_status judo_job_open(judo_comm *comm, const judo_stage *stage,
                          const judo_train_config *config, int threads,
                          judo_job *out) JUDO_MUST_CHECK;
/* The same as far as no memory is taken and nothing created, on a communicator whose other
 * ranks need not be there (judo_comm_alike_create), with the plan of memory: what a job would
 * hold. `rank_memory`: bytes that each rank would have, 0: what is free here. device=cuda
 * without a GPU here is planned without what only its module knows, and says so. For
 * judo_plan_report and judo_job_close. */
judo_status judo_job_plan(judo_comm *comm, const judo_stage *stage,
                          const judo_train_config *config, int64_t rank_memory, judo_job *out,
                          judo_memory_plan *plan) JUDO_MUST_CHECK;
void judo_job_close(judo_job *job);

/* Loads the weights of config->model.path into the shards. Collective. */
judo_status judo_job_load_model(judo_job *job) JUDO_MUST_CHECK;

/* Writes the weights as a Hugging Face directory, all ranks their own ranges in parallel.
 * Collective. */
judo_status judo_job_save_model(judo_job *job, const char *folder) JUDO_MUST_CHECK;

#endif
