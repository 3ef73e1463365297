/* stages/run_checkpoint.c: the checkpoints of a run. */
#include "stages/run_checkpoint.h"

#include "parallel/agree.h"
#include "stages/job.h"
#include "stages/run_folder.h"

judo_status judo_run_restore(judo_job *job)
{
    const judo_train_config *config = job->config;
    char folder[JUDO_CONFIG_STRING_BYTES + 16];
    judo_run_checkpoint_folder(config, folder, sizeof folder);
    bool found = false;
    if (config->run.resume != JUDO_RESUME_NEVER) {
        JUDO_TRY(judo_checkpoint_exists(job->comm, folder, &found));
    }
    job->first_step = 0;
    if (!found && config->run.resume == JUDO_RESUME_MUST) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: run.resume is 'must' but there is no checkpoint",
                         folder);
    }
    if (!found) {
        return judo_job_load_model(job);
    }
    judo_checkpoint_info info = {0};
    JUDO_TRY(judo_checkpoint_load(job->comm, job->zero, folder, true, &info));
    judo_status status = judo_agree(job->comm, judo_run_state_check(job, info.state));
    job->first_step = info.step;
    if (status == JUDO_OK) {
        JUDO_INFO("resuming %s at step %lld of %lld", config->run.folder, (long long)info.step,
                  (long long)job->total_steps);
    }
    judo_checkpoint_info_free(&info);
    return status;
}

judo_status judo_run_writer_open(judo_job *job, judo_checkpoint_writer **out)
{
    const judo_train_config *config = job->config;
    char folder[JUDO_CONFIG_STRING_BYTES + 16];
    judo_checkpoint_options options = {
        .keep = {.last = (int)config->run.keep_last, .every = config->run.keep_every},
        .background = config->run.async_checkpoint,
        .tolerant = config->run.on_save_error == JUDO_SAVE_OR_GO_ON,
    };
    judo_run_checkpoint_folder(config, folder, sizeof folder);
    JUDO_TRY(judo_checkpoint_writer_open(job->comm, job->zero, folder, &options, out));
    if (judo_checkpoint_writer_bytes(*out) > 0) {
        JUDO_INFO("memory     %.1f MB more per rank: a copy of weights and moments for "
                  "checkpoints",
                  1e-6 * (double)judo_checkpoint_writer_bytes(*out));
    }
    return JUDO_OK;
}

judo_status judo_run_save(const judo_job *job, judo_checkpoint_writer *writer,
                          int64_t next_step)
{
    char state[512];
    judo_run_state_write(job, next_step, state, sizeof state);
    return judo_checkpoint_writer_save(writer, next_step, state);
}

judo_status judo_run_save_now(const judo_job *job, judo_checkpoint_writer *writer,
                              int64_t next_step)
{
    bool is_loaded = next_step == job->first_step && next_step > 0;
    if (!is_loaded && judo_checkpoint_writer_saved(writer) != next_step) {
        JUDO_TRY(judo_run_save(job, writer, next_step));
    }
    JUDO_TRY(judo_checkpoint_writer_finish(writer));
    if (!is_loaded && judo_checkpoint_writer_saved(writer) != next_step) {
        return JUDO_FAIL(JUDO_ERROR_IO,
                         "%s: the checkpoint of step %lld could not be written (see the "
                         "warning): the run ends without it",
                         job->config->run.folder, (long long)next_step);
    }
    return JUDO_OK;
}

bool judo_run_save_is_due(const judo_job *job, int64_t next_step, int64_t rollout)
{
    int64_t every = job->config->run.save_every;
    return every > 0 && next_step % rollout == 0 &&
           next_step / every > (next_step - rollout) / every && next_step < job->total_steps;
}
