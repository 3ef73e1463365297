/* stages/train_loop.c: resume, step, clip, update, log, checkpoint. */
#include "stages/train_loop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/checkpoint.h"
#include "parallel/interrupt.h"
#include "parallel/run_lock.h"
#include "stages/job.h"
#include "stages/run_folder.h"
#include "stages/schedule.h"

static judo_adamw update_options(const judo_train_config *config, int64_t step, int64_t total)
{
    int64_t warmup = config->optimizer.warmup_steps;
    if (warmup == 0) {
        warmup = (int64_t)ceil(config->optimizer.warmup_ratio * (double)total);
    }
    double factor = judo_schedule_factor((judo_schedule_kind)config->optimizer.schedule, step,
                                         warmup, total, config->optimizer.minimum_ratio);
    return (judo_adamw){
        .learning_rate = config->optimizer.learning_rate * factor,
        .beta1 = config->optimizer.beta1,
        .beta2 = config->optimizer.beta2,
        .epsilon = config->optimizer.epsilon,
        .weight_decay = config->optimizer.weight_decay,
        .step = step + 1,
        .gradient_scale = 1.0f,
    };
}

/* Clips and updates; a norm that is not finite changes nothing. Collective. */
static judo_status update(judo_job *job, int64_t step)
{
    judo_zero3_update done;
    judo_adamw options = update_options(job->config, step, job->total_steps);
    JUDO_TRY(judo_zero3_step(job->zero, &options, job->config->optimizer.clip_norm, &done));
    judo_metrics_put(job->metrics, "grad_norm", done.gradient_norm);
    judo_metrics_put(job->metrics, "learning_rate", options.learning_rate);
    if (!done.applied) {
        JUDO_WARNING("step %lld: the gradient norm is not finite; the step changes nothing",
                     (long long)step);
        judo_metrics_put(job->metrics, "skipped", 1);
    }
    return JUDO_OK;
}

static judo_status one_step(judo_job *job, void *state, int64_t step)
{
    double begin = judo_clock();
    judo_metrics_begin(job->metrics, step);
    judo_zero3_zero_gradients(job->zero);
    judo_comm_set_phase(job->comm, "forward and backward");
    JUDO_TRY(job->stage->accumulate(job, state, step));
    judo_comm_set_phase(job->comm, "optimizer");
    JUDO_TRY(update(job, step));
    judo_comm_set_phase(job->comm, "end of the step");
    judo_metrics_put(job->metrics, "epoch",
                     (double)(step + 1) * job->stage->samples_per_step(job->config) /
                         (double)job->num_samples);
    judo_metrics_put(job->metrics, "step_time", judo_clock() - begin);
    return judo_agree(job->comm, judo_metrics_end(job->metrics));
}

static judo_status save_checkpoint(judo_job *job, int64_t next_step)
{
    char state[512];
    char folder[JUDO_CONFIG_STRING_BYTES + 16];
    judo_run_state_write(job, next_step, state, sizeof state);
    judo_run_checkpoint_folder(job->config, folder, sizeof folder);
    return judo_checkpoint_save(job->comm, job->zero, folder, next_step, state,
                                (int)job->config->run.keep_last);
}

/* A checkpoint is due at the requested interval, or at the first boundary behind it: never
 * inside a rollout that later updates still use. */
static bool is_checkpoint_due(const judo_job *job, int64_t next_step, int64_t rollout)
{
    int64_t every = job->config->run.save_every;
    return every > 0 && next_step % rollout == 0 &&
           next_step / every > (next_step - rollout) / every && next_step < job->total_steps;
}

static judo_status run_steps(judo_job *job, void *state)
{
    judo_progress progress;
    judo_progress_begin(&progress, job->stage->name, "step", job->total_steps);
    int64_t rollout = job->stage->for_grpo ? job->config->grpo.updates_per_rollout : 1;
    judo_status status = JUDO_OK;
    for (int64_t step = job->first_step; step < job->total_steps && status == JUDO_OK; step++) {
        bool stop = false;
        JUDO_TRY_GOTO(status, done, one_step(job, state, step));
        JUDO_TRY_GOTO(status, done, judo_interrupt_agreed(job->comm, &stop));
        bool at_boundary = (step + 1) % rollout == 0;
        if (is_checkpoint_due(job, step + 1, rollout) || (stop && at_boundary)) {
            JUDO_TRY_GOTO(status, done, save_checkpoint(job, step + 1));
        }
        judo_progress_update(&progress, step + 1, NULL);
        if (stop && at_boundary) {
            JUDO_INFO(
                "stopped on a signal after step %lld; start the same command again to go on",
                (long long)step);
            status = JUDO_EXIT_REQUEUE;
        }
    }
done:
    judo_progress_end(&progress);
    return status;
}

/* Loads the newest checkpoint, or the model when there is none. Collective. */
static judo_status restore(judo_job *job)
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

/* A fresh start begins a fresh table; a resumed one drops the rows behind its checkpoint. Rank
 * 0. */
static judo_status open_metrics(judo_job *job)
{
    const judo_train_config *config = job->config;
    if (job->first_step == 0) {
        char path[JUDO_CONFIG_STRING_BYTES + 32];
        (void)snprintf(path, sizeof path, "%s/metrics.jsonl", config->run.folder);
        (void)remove(path);
    }
    JUDO_TRY(judo_metrics_open(config->run.folder, job->first_step - 1, config->run.tensorboard,
                               &job->metrics));
    judo_metrics_set_console_every(job->metrics, (int)config->run.log_every);
    return JUDO_OK;
}

static judo_status train_open_job(judo_job *job)
{
    const judo_train_config *config = job->config;
    void *state = NULL;
    JUDO_TRY(restore(job));
    judo_status status = JUDO_OK;
    if (judo_log_is_chief()) {
        status = open_metrics(job);
    }
    JUDO_TRY(judo_agree(job->comm, status));
    status = job->stage->open(job, &state);
    if (status == JUDO_OK) {
        status = run_steps(job, state);
    }
    job->stage->close(job, &state);
    if (status == JUDO_OK) {
        char folder[JUDO_CONFIG_STRING_BYTES + 16];
        (void)snprintf(folder, sizeof folder, "%s/model", config->run.folder);
        status = save_checkpoint(job, job->total_steps);
        if (status == JUDO_OK) {
            status = judo_job_save_model(job, folder);
        }
        if (status == JUDO_OK) {
            JUDO_INFO("trained model: %s", folder);
        }
    }
    return status;
}

judo_status judo_train(judo_comm *comm, const judo_stage *stage,
                       const judo_train_config *config, int threads)
{
    judo_run_lock *lock = NULL;
    judo_job job;
    judo_comm_set_deadline(comm, config->run.deadline_seconds);
    JUDO_TRY(judo_interrupt_install());
    JUDO_TRY(judo_run_lock_take(comm, config->run.folder, &lock));
    JUDO_TRY(judo_run_folder_prepare(comm, stage, config));
    judo_status status = judo_job_open(comm, stage, config, threads, &job);
    if (status == JUDO_OK) {
        status = train_open_job(&job);
        judo_metrics_close(&job.metrics);
        judo_job_close(&job);
    }
    judo_run_lock_release(&lock);
    return status;
}
