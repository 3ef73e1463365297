/* stages/device_memory.c: the table of what a device must hold, and the refusal that goes with
 * it. */
#include "stages/device_memory.h"

#include <stdlib.h>
#include <string.h>

#include "models/generate.h"
#include "parallel/agree.h"
#include "parallel/device_places.h"

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
    int64_t count = 1;
    for (int r = 0; r < job->comm->size; r++) {
        count += r != job->comm->rank && places[r].node == own->node &&
                 strncmp(places[r].name, own->name, sizeof own->name) == 0;
    }
    free(places);
    *out = count;
    return JUDO_OK;
}

judo_status judo_device_memory_available(const judo_job *job, int64_t *out)
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
    int64_t drawing; /* keys, values and logits of completions and as much prompt as one pass */
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
    if (!options->whole_weights && options->group_size > 1) {
        out->resident = judo_local_params_bytes(layout, options->compute_dtype, false);
    }
    int64_t prompts = (config->grpo.prompts_per_step + ranks - 1) / ranks;
    out->reference = reference.total;
    out->drawing = judo_generate_bytes(
        job->model, config->train.max_tokens, (int32_t)(prompts * config->grpo.group_size),
        (int32_t)config->grpo.max_new_tokens, config->grpo.repetition_penalty != 1.0);
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
    out->total = out->policy.total + out->reference + out->resident + out->drawing;
    return JUDO_OK;
}

static void print_needs(const judo_job *job, const needs *n, int64_t available)
{
    const judo_zero3_bytes *policy = &n->policy;
    const bool offloads = policy->offloaded > 0;
    const int64_t movable = policy->moments + (policy->compute > 0 ? policy->weights : 0);

    const struct {
        const char *what;
        int64_t bytes;
    } rows[] = {
        {"weights", offloads ? policy->compute : policy->weights + policy->compute},
        {"moments", offloads ? 0 : policy->moments},
        {"gradients", policy->gradients},
        {"unit buffers", policy->gathered + policy->gradient_buffer},
        {"reference model", n->reference},
        {"whole weights for generation", n->resident},
        {"keys, values, logits", n->drawing},
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
                  mb * (double)movable);
    }
}

judo_status judo_device_memory_check(const judo_job *job, const judo_zero3_options *options)
{
    needs needed;
    int64_t available = 0;
    judo_zero3_options grouped = *options;
    if (!job->device->separate) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_zero3_group_size(job->comm, options, &grouped.group_size));
    JUDO_TRY(judo_device_memory_available(job, &available));
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
        "model.dtype=bf16, zero.split_master=true, "
        "zero.gradient_storage=bf16, zero.offload_optimizer=cpu, smaller "
        "train.max_tokens or "
        "fewer completions at once need less",
        mb * (double)missing);
}
