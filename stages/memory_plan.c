/* stages/memory_plan.c: sums of what the parts of a job say that they take. */
#include "stages/memory_plan.h"

#include <stdio.h>
#include <string.h>

#include "data/batch_builder.h"
#include "models/generate.h"
#include "parallel/agree.h"
#include "rewards/text_embedder.h"
#include "runtime/pool_space.h"

static double megabytes(int64_t bytes)
{
    return 1e-6 * (double)bytes;
}

/* A line of the plan, unless it is empty. */
static void add(judo_memory_plan *plan, const char *what, int64_t bytes)
{
    if (bytes > 0) {
        plan->lines[plan->num_lines++] = (judo_memory_line){.what = what, .bytes = bytes};
        plan->total += bytes;
    }
}

/* A line of what comes out of the block. */
static void add_pooled(judo_memory_plan *plan, const char *what, int64_t bytes)
{
    add(plan, what, bytes);
    plan->pool += bytes;
}

static void add_model(const judo_job *job, const judo_zero3_bytes *bytes,
                      judo_memory_plan *plan)
{
    const bool offloads = bytes->offloaded > 0;
    add_pooled(plan, "weights", bytes->compute + (offloads ? 0 : bytes->weights));
    add_pooled(plan, "gradients", bytes->gradients);
    add_pooled(plan, "moments", offloads ? 0 : bytes->moments);
    add_pooled(plan, "unit buffers", bytes->gathered + bytes->gradient_buffer + bytes->tree);
    add_pooled(plan, "activations",
               judo_model_activation_bytes(job->model) - judo_model_work_bytes(job->model));
    plan->movable = offloads ? 0 : bytes->moments + (bytes->compute > 0 ? bytes->weights : 0);
    plan->offloaded = bytes->offloaded;
}

/* Prompts that a rank draws completions for at most. */
static int64_t most_prompts(const judo_job *job)
{
    return (job->config->grpo.prompts_per_step + job->comm->size - 1) / job->comm->size;
}

static judo_status add_stage3(const judo_job *job, int64_t resident, judo_memory_plan *plan)
{
    const judo_train_config *config = job->config;
    const int64_t prompts = most_prompts(job);
    judo_zero3_bytes reference = {.total = 0};
    int64_t encoder = 0;
    if (config->grpo.kl_beta > 0) {
        JUDO_TRY(judo_zero3_plan(judo_model_layout(job->model), job->comm->size,
                                 &job->reference_sharding, &reference));
    }
    if (config->minilm_path[0]) {
        JUDO_TRY(judo_text_embedder_plan(config->minilm_path, JUDO_F32, &encoder));
    }
    add_pooled(plan, "reference model", reference.total);
    add_pooled(plan, "reward's encoder", encoder);
    add_pooled(plan, "whole weights for drawing", resident);
    add_pooled(plan, "keys, values, logits of drawing",
               judo_generate_bytes(job->model, prompts * config->train.max_tokens,
                                   (int32_t)(prompts * config->grpo.group_size),
                                   (int32_t)config->grpo.max_new_tokens,
                                   config->grpo.repetition_penalty != 1.0));
    return JUDO_OK;
}

/* Each part of the block begins at a multiple of its alignment. */
static int64_t rounding(const judo_job *job)
{
    enum { PARTS = 40 }; /* beside a copy of the weights, which is one for every unit */

    return (int64_t)(PARTS + judo_model_layout(job->model)->num_units) * JUDO_POOL_ALIGNMENT;
}

/* Communicators of a set of weights beside the job's own, and all that exchange a device's
 * memory. */
static int communicators(const judo_job *job, const judo_zero3_options *options, bool on_device)
{
    const int size = job->comm->size;
    const int parts = options->group_size == size ? 0 : 2;
    const int exchanges = (options->group_size > 1) + (options->group_size < size);
    return on_device ? exchanges : parts;
}

/* On the host every communicator has the scratch of the job's; on a device with collectives,
 * those that exchange its memory have a bucket each there. */
static void add_exchange(const judo_job *job, judo_memory_plan *plan)
{
    const judo_device *device = job->device;
    const bool reference = job->stage->for_grpo && job->config->grpo.kl_beta > 0;
    int on_host = communicators(job, &job->sharding, false);
    int on_device = communicators(job, &job->sharding, true);
    if (reference) {
        on_host += communicators(job, &job->reference_sharding, false);
        on_device += communicators(job, &job->reference_sharding, true);
    }
    int64_t host = (1 + on_host) * job->comm->scratch_bytes;
    if (!device->separate) {
        add(plan, "exchange between ranks", host);
        return;
    }
    add(plan, "exchange between ranks",
        device->collectives ? on_device * job->comm->bucket_bytes : 0);
    plan->host = plan->offloaded + host;
    plan->host += device->collectives ? 0 : on_device * job->comm->scratch_bytes;
    add(plan, "libraries and graphs (estimated)",
        device->library_bytes ? device->library_bytes(on_device) : 0);
}

static judo_status sum_up(const judo_job *job, judo_memory_plan *plan)
{
    judo_zero3_bytes model;
    JUDO_TRY(judo_zero3_plan(judo_model_layout(job->model), job->comm->size, &job->sharding,
                             &model));
    add_model(job, &model, plan);
    if (job->stage->for_grpo) {
        JUDO_TRY(add_stage3(job, model.resident, plan));
    }
    if (job->device->separate) {
        add_pooled(plan, "rounding of the block's parts", rounding(job));
    }
    add(plan, "work memory of ops", judo_model_work_bytes(job->model));
    add_exchange(job, plan);
    return JUDO_OK;
}

judo_status judo_memory_plan_make(judo_job *job, judo_memory_plan *out)
{
    judo_memory_plan plan = {.num_lines = 0};
    JUDO_TRY(judo_agree(job->comm, sum_up(job, &plan)));
    *out = plan;
    return JUDO_OK;
}

void judo_memory_plan_write(const judo_job *job, const judo_memory_plan *plan,
                            char table[JUDO_MEMORY_TABLE_BYTES])
{
    size_t used = 0;
    for (int i = 0; i < plan->num_lines; i++) {
        used += (size_t)snprintf(table + used, JUDO_MEMORY_TABLE_BYTES - used,
                                 "           %-34s %10.1f MB\n", plan->lines[i].what,
                                 megabytes(plan->lines[i].bytes));
    }
    (void)snprintf(table + used, JUDO_MEMORY_TABLE_BYTES - used,
                   "memory     %.1f MB per rank%s\n", megabytes(plan->total),
                   job->device->separate ? " on the device" : "");
}

/* What lies on the host beside a device with memory of its own, or would. */
static void print_host(const judo_job *job, const judo_memory_plan *plan)
{
    if (job->device->separate) {
        JUDO_INFO("memory     %.1f MB more per rank on the host: optimizer state %.1f, staging "
                  "and exchange %.1f",
                  megabytes(plan->host), megabytes(plan->offloaded),
                  megabytes(plan->host - plan->offloaded));
    } else if (job->config->zero.offload_optimizer != 0) {
        JUDO_INFO(
            "memory     zero.offload_optimizer changes nothing on the CPU: the optimizer's "
            "state is in host memory anyway");
    }
}

void judo_memory_plan_print(const judo_job *job, const judo_memory_plan *plan)
{
    char table[JUDO_MEMORY_TABLE_BYTES];
    judo_memory_plan_write(job, plan, table);
    for (const char *line = table; *line;) {
        size_t length = strcspn(line, "\n");
        JUDO_INFO("%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    print_host(job, plan);
}

void judo_memory_plan_batches(const judo_job *job, int64_t num_batches)
{
    int64_t each = judo_batch_builder_bytes(job->processor, job->config->train.max_tokens,
                                            job->config->train.max_patches);
    JUDO_INFO("memory     up to %.1f MB more per rank: %lld batches of up to %.1f",
              megabytes(num_batches * each), (long long)num_batches, megabytes(each));
}
