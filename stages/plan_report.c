/* stages/plan_report.c: see plan_report.h. */
#include "stages/plan_report.h"

#include "runtime/device_planned.h"
#include "runtime/log.h"
#include "stages/device_memory.h"

static const double mb = 1e-6;

static judo_status report_host(const judo_job *job)
{
    judo_zero3_bytes bytes;
    JUDO_TRY(judo_zero3_plan(judo_model_layout(job->model), job->comm->size, &job->sharding,
                             &bytes));
    if (bytes.offloaded > 0) {
        JUDO_INFO("memory     %.1f MB more per rank on the host: optimizer state",
                  mb * (double)bytes.offloaded);
    }
    return JUDO_OK;
}

/* A checkpoint holds fp32 weights, and the two moments of what is trained, once. */
static void report_size(const judo_job *job)
{
    const judo_param_layout *layout = judo_model_layout(job->model);
    int64_t all = 0;
    int64_t trained = 0;
    for (int p = 0; p < layout->num_params; p++) {
        all += layout->params[p].count;
        trained += layout->params[p].frozen ? 0 : layout->params[p].count;
    }
    JUDO_INFO("parameters %lld, %lld of them trained", (long long)all, (long long)trained);
    JUDO_INFO("checkpoint %lld bytes of weights and moments, and headers",
              (long long)(all + 2 * trained) * (long long)sizeof(float));
}

static void report_steps(const judo_job *job)
{
    double samples = job->stage->samples_per_step(job->config);
    JUDO_INFO("steps      %lld in all, %.6g per epoch; %.6g samples per step",
              (long long)job->total_steps, (double)job->num_samples / samples, samples);
}

judo_status judo_plan_report(const judo_job *job, const judo_memory_plan *plan)
{
    JUDO_TRY(report_host(job));
    report_size(job);
    report_steps(job);
    if (job->rank_memory == 0) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_device_memory_check(job, plan));
    JUDO_INFO(
        "memory     %s: %.1f of %.1f MB per rank are left",
        judo_device_is_planned(job->device) ? "fits if what the table lacks does" : "fits",
        mb * (double)(job->rank_memory - plan->table.total), mb * (double)job->rank_memory);
    return JUDO_OK;
}
