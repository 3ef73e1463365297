/* stages/train_loop.c: resume, step, clip, update, log, checkpoint. */
#include "stages/train_loop.h"

#include <math.h>
#include <stdio.h>

#include "parallel/agree.h"
#include "parallel/interrupt.h"
#include "parallel/run_lock.h"
#include "stages/device_memory.h"
#include "stages/finite_check.h"
#include "stages/job.h"
#include "stages/run_checkpoint.h"
#include "stages/run_folder.h"
#include "stages/schedule.h"
#include "stages/timeline_file.h"

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
    return judo_finite_check(job, step, done.applied);
}

/* With every row that the log prints. */
static judo_status report_stragglers(judo_job *job, int64_t step)
{
    int64_t every = job->config->run.log_every;
    return every > 0 && (step - job->first_step) % every == 0
               ? judo_phases_report(&job->phases, job->metrics)
               : JUDO_OK;
}

static judo_status one_step(judo_job *job, void *state, int64_t step)
{
    double begin = judo_clock();
    JUDO_TRY(judo_timeline_file_before(job, step));
    judo_metrics_begin(job->metrics, step);
    JUDO_TRY(judo_zero3_zero_gradients(job->zero));
    JUDO_TRY(job->stage->accumulate(job, state, step));
    judo_phases_enter(&job->phases, step, JUDO_PHASE_OPTIMIZER);
    JUDO_TRY(update(job, step));
    judo_phases_enter(&job->phases, step, JUDO_PHASE_OTHER);
    JUDO_TRY(report_stragglers(job, step));
    judo_metrics_put(job->metrics, "epoch",
                     (double)(step + 1) * job->stage->samples_per_step(job->config) /
                         (double)job->num_samples);
    JUDO_TRY(judo_communication_metrics(job));
    judo_metrics_put(job->metrics, "step_time", judo_clock() - begin);
    JUDO_TRY(judo_agree(job->comm, judo_metrics_end(job->metrics)));
    return judo_timeline_file_after(job, step);
}

/* Ends a save that is under way, begins one that is due; a signal's is complete before the run
 * leaves. Collective. */
static judo_status save_at_boundary(judo_job *job, judo_checkpoint_writer *writer,
                                    int64_t next_step, int64_t rollout, bool stop)
{
    if (stop) {
        JUDO_TRY(judo_run_save_now(job, writer, next_step));
        JUDO_INFO("stopped on a signal after step %lld; start the same command again to go on",
                  (long long)next_step - 1);
        return JUDO_EXIT_REQUEUE;
    }
    JUDO_TRY(judo_checkpoint_writer_poll(writer));
    return judo_run_save_is_due(job, next_step, rollout) ? judo_run_save(job, writer, next_step)
                                                         : JUDO_OK;
}

static judo_status run_steps(judo_job *job, void *state, judo_checkpoint_writer *writer)
{
    judo_progress progress;
    judo_progress_begin(&progress, job->stage->name, "step", job->total_steps);
    int64_t rollout = job->stage->for_grpo ? job->config->grpo.updates_per_rollout : 1;
    judo_status status = JUDO_OK;
    for (int64_t step = job->first_step; step < job->total_steps && status == JUDO_OK; step++) {
        bool stop = false;
        JUDO_TRY_GOTO(status, done, one_step(job, state, step));
        JUDO_TRY_GOTO(status, done, judo_interrupt_agreed(job->comm, &stop));
        stop = stop && (step + 1) % rollout == 0;
        judo_progress_update(&progress, step + 1, NULL);
        status = save_at_boundary(job, writer, step + 1, rollout, stop);
        judo_device_memory_watch(job, step);
    }
done:
    judo_progress_end(&progress);
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
    JUDO_TRY(judo_run_launch_write(job));
    JUDO_TRY(judo_metrics_open(config->run.folder, job->first_step - 1, config->run.tensorboard,
                               &job->metrics));
    judo_metrics_set_console_every(job->metrics, (int)config->run.log_every);
    return JUDO_OK;
}

static judo_status save_result(judo_job *job, judo_checkpoint_writer *writer)
{
    char folder[JUDO_CONFIG_STRING_BYTES + 16];
    JUDO_TRY(judo_run_save_now(job, writer, job->total_steps));
    (void)snprintf(folder, sizeof folder, "%s/model", job->config->run.folder);
    JUDO_TRY(judo_job_save_model(job, folder));
    JUDO_INFO("trained model: %s", folder);
    return JUDO_OK;
}

static judo_status train_and_save(judo_job *job, judo_checkpoint_writer *writer)
{
    void *state = NULL;
    judo_status status = job->stage->open(job, &state);
    if (status == JUDO_OK) {
        status = run_steps(job, state, writer);
    }
    job->stage->close(job, &state);
    JUDO_TRY(status);
    JUDO_TRY(job->config->run.save_at_end ? save_result(job, writer)
                                          : judo_checkpoint_writer_finish(writer));
    judo_device_memory_watch(job, job->total_steps);
    judo_device_memory_report(job);
    return JUDO_OK;
}

static judo_status train_open_job(judo_job *job)
{
    judo_checkpoint_writer *writer = NULL;
    JUDO_TRY(judo_run_restore(job));
    judo_status status = judo_log_is_chief() ? open_metrics(job) : JUDO_OK;
    JUDO_TRY(judo_agree(job->comm, status));
    JUDO_TRY(judo_run_writer_open(job, &writer));
    status = train_and_save(job, writer);
    judo_checkpoint_writer_close(&writer);
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
        judo_phases_begin(&job.phases, comm);
        job.comm_times = judo_comm_times_so_far(comm);
        status = train_open_job(&job);
        judo_metrics_close(&job.metrics);
        judo_job_close(&job);
    }
    judo_run_lock_release(&lock);
    return status;
}
