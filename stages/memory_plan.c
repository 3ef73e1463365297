/* stages/memory_plan.c: the table of a job's memory, and the refusal that goes with it. */
#include "stages/memory_plan.h"

#include <stdlib.h>
#include <string.h>

#include "models/kv_cache.h"
#include "parallel/agree.h"
#include "parallel/device_places.h"
#include "runtime/dtype_choice.h"

static const double mb = 1e-6;

/* Ranks that have this rank's device. Collective. */
static judo_status count_sharers(const judo_job *job, int64_t *out)
{
    judo_device_place *places = NULL;
    if (job->device->collectives == NULL) { /* nothing says which device it is */
        *out = 1;
        return JUDO_OK;
    }
    JUDO_TRY(judo_device_places(job->comm, job->device, &places));
    const judo_device_place *own = &places[job->comm->rank];
    int64_t count = 0;
    for (int r = 0; r < job->comm->size; r++) {
        count += places[r].node == own->node &&
                 strncmp(places[r].name, own->name, sizeof own->name) == 0;
    }
    free(places);
    *out = count;
    return JUDO_OK;
}

judo_status judo_memory_plan_available(const judo_job *job, int64_t *out)
{
    int64_t sharers = 1;
    int64_t total = 0;
    int64_t available = 0;
    JUDO_TRY(count_sharers(job, &sharers));
    JUDO_TRY(judo_agree(job->comm, job->device->memory(&available, &total)));
    *out = available / sharers;
    return JUDO_OK;
}

/* What is still to be taken. */
typedef struct needs {
    judo_zero3_bytes policy;
    int64_t reference; /* the frozen weights of stage 3 */
    int64_t resident;  /* whole weights for generation */
    int64_t cache;     /* keys and values, of prompts as long as they may be */
    int64_t total;
} needs;

static judo_status add_stage3(const judo_job *job, const judo_zero3_options *options,
                              needs *out)
{
    const judo_train_config *config = job->config;
    const judo_param_layout *layout = judo_model_layout(job->model);
    const int ranks = job->comm->size;
    judo_zero3_options frozen = *options;
    judo_zero3_bytes reference = {.total = 0};
    frozen.frozen = true;
    if (config->grpo.kl_beta > 0) {
        JUDO_TRY(judo_zero3_plan(layout, ranks, &frozen, &reference));
    }
    JUDO_TRY(judo_zero3_resident_bytes(layout, ranks, options, &out->resident));
    int64_t prompts = (config->grpo.prompts_per_step + ranks - 1) / ranks;
    out->reference = reference.total;
    out->cache = judo_kv_cache_bytes(judo_model_config(job->model), config->train.max_tokens,
                                     (int32_t)(prompts * config->grpo.group_size),
                                     (int32_t)config->grpo.max_new_tokens,
                                     judo_dtype_of_choice(config->model.dtype));
    return JUDO_OK;
}

static judo_status plan(const judo_job *job, const judo_zero3_options *options, needs *out)
{
    *out = (needs){.total = 0};
    JUDO_TRY(
        judo_zero3_plan(judo_model_layout(job->model), job->comm->size, options, &out->policy));
    if (job->stage->for_grpo) {
        JUDO_TRY(add_stage3(job, options, out));
    }
    out->total = out->policy.total + out->reference + out->resident + out->cache;
    return JUDO_OK;
}

static void print_needs(const judo_job *job, const needs *n, int64_t available)
{
    const judo_zero3_bytes *policy = &n->policy;
    const int64_t state = policy->weights + policy->moments;
    const bool offloads = policy->offloaded > 0;

    const struct {
        const char *what;
        int64_t bytes;
    } rows[] = {
        {"weights as they are lent",
         offloads ? policy->compute : policy->weights + policy->compute},
        {"moments", offloads ? 0 : policy->moments},
        {"gradients", policy->gradients},
        {"unit buffers", policy->gathered + policy->gradient_buffer},
        {"reference model", n->reference},
        {"whole weights for generation", n->resident},
        {"keys and values", n->cache},
        {"in all", n->total},
        {"free beside the activations", available},
    };

    JUDO_INFO("device memory of a rank in MB, beside %.1f of activations that are there:",
              mb * (double)judo_model_activation_bytes(job->model));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        JUDO_INFO("    %-30s %10.1f", rows[i].what, mb * (double)rows[i].bytes);
    }
    if (!offloads) {
        JUDO_INFO("    zero.offload_optimizer=cpu would move %.1f to the host",
                  mb * (double)state);
    }
}

judo_status judo_memory_plan_check(const judo_job *job, const judo_zero3_options *options)
{
    needs needed;
    int64_t available = 0;
    judo_zero3_options grouped = *options;
    if (!job->device->separate) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_zero3_group_size(job->comm, options, &grouped.group_size));
    JUDO_TRY(judo_memory_plan_available(job, &available));
    JUDO_TRY(judo_agree(job->comm, plan(job, &grouped, &needed)));
    int64_t missing = needed.total - available;
    JUDO_TRY(judo_comm_max_i64(job->comm, &missing, 1));
    if (missing <= 0) {
        return JUDO_OK;
    }
    print_needs(job, &needed, available);
    return JUDO_FAIL(
        JUDO_ERROR_MEMORY,
        "device: its memory is short by %.1f MB on some rank (the table above says "
        "for what): more ranks, zero.stage=3, zero.resident_weights=no, "
        "model.dtype=bf16, zero.offload_optimizer=cpu, smaller train.max_tokens or "
        "fewer completions at once need less",
        mb * (double)missing);
}

void judo_memory_plan_print(const judo_job *job)
{
    const judo_zero3_bytes bytes = judo_zero3_allocated(job->zero);
    const int64_t activations = judo_model_activation_bytes(job->model);
    const bool separate = job->device->separate;
    const bool offloads = bytes.offloaded > 0;
    const int64_t exchange = job->comm->scratch_bytes;
    const int64_t host = exchange + judo_zero3_staging(job->zero) + bytes.offloaded;
    JUDO_INFO("memory     %.1f MB per rank%s: weights %.1f, gradients %.1f, moments %.1f, unit "
              "buffers %.1f, activations %.1f, exchange %.1f",
              mb * (double)(bytes.total + activations + (separate ? 0 : exchange)),
              separate ? " on the device" : "",
              mb * (double)(bytes.compute + (offloads ? 0 : bytes.weights)),
              mb * (double)bytes.gradients, mb * (double)(offloads ? 0 : bytes.moments),
              mb * (double)(bytes.gathered + bytes.gradient_buffer), mb * (double)activations,
              mb * (double)(separate ? 0 : exchange));
    if (separate) {
        JUDO_INFO("           %.1f MB per rank on the host: optimizer state %.1f, staging and "
                  "exchange %.1f",
                  mb * (double)host, mb * (double)bytes.offloaded,
                  mb * (double)(host - bytes.offloaded));
    } else if (job->config->zero.offload_optimizer != 0) {
        JUDO_INFO("           zero.offload_optimizer changes nothing: the optimizer's state is "
                  "in host memory anyway");
    }
}
