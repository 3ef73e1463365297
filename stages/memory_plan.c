/* stages/memory_plan.c: sums of what the parts of a job say that they take. */
#include "stages/memory_plan.h"

#include "data/batch_builder.h"
#include "models/generate.h"
#include "parallel/agree.h"
#include "rewards/text_embedder.h"

static double megabytes(int64_t bytes)
{
    return 1e-6 * (double)bytes;
}

static void add_model(const judo_job *job, const judo_zero3_bytes *bytes,
                      judo_memory_plan *plan)
{
    const bool offloads = bytes->offloaded > 0;
    judo_memory_table_add_pooled(&plan->table, "weights",
                                 bytes->compute + (offloads ? 0 : bytes->weights));
    judo_memory_table_add_pooled(&plan->table, "gradients", bytes->gradients);
    judo_memory_table_add_pooled(&plan->table, "moments", offloads ? 0 : bytes->moments);
    judo_memory_table_add_pooled(&plan->table, "unit buffers",
                                 bytes->gathered + bytes->gradient_buffer + bytes->tree);
    judo_memory_table_add_pooled(&plan->table, "activations",
                                 judo_model_activation_bytes(job->model) -
                                     judo_model_work_bytes(job->model));
    plan->movable = offloads ? 0 : bytes->moments + (bytes->compute > 0 ? bytes->weights : 0);
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
    judo_memory_table_add_pooled(&plan->table, "reference model", reference.total);
    judo_memory_table_add_pooled(&plan->table, "reward's encoder", encoder);
    judo_memory_table_add_pooled(&plan->table, "whole weights for drawing", resident);
    judo_memory_table_add_pooled(
        &plan->table, "keys, values, logits of drawing",
        judo_generate_bytes(job->model, prompts * config->train.max_tokens,
                            (int32_t)(prompts * config->grpo.group_size),
                            (int32_t)config->grpo.max_new_tokens,
                            config->grpo.repetition_penalty != 1.0));
    return JUDO_OK;
}

/* Communicators that split the ranks, and those that exchange a device's memory. */
static int num_splits(const judo_job *job, const judo_zero3_options *options)
{
    return options->group_size == job->comm->size ? 0 : 2;
}

static int num_exchanges(const judo_job *job, const judo_zero3_options *options)
{
    return (options->group_size > 1) + (options->group_size < job->comm->size);
}

/* In host memory every communicator has the scratch of the job's; where a device has
 * collectives, each that exchanges its memory has a bucket there. */
static void add_exchange(const judo_job *job, judo_memory_table *table)
{
    const judo_device *device = job->device;
    const bool reference = job->stage->for_grpo && job->config->grpo.kl_beta > 0;
    int splits = num_splits(job, &job->sharding);
    int exchanges = num_exchanges(job, &job->sharding);
    if (reference) {
        splits += num_splits(job, &job->reference_sharding);
        exchanges += num_exchanges(job, &job->reference_sharding);
    }
    if (!device->separate) {
        judo_memory_table_add(table, "exchange between ranks",
                              (1 + splits) * job->comm->scratch_bytes);
        return;
    }
    judo_memory_table_add(table, "exchange between ranks",
                          device->collectives ? exchanges * job->comm->bucket_bytes : 0);
    judo_memory_table_add(table, "libraries and graphs (estimated)",
                          device->library_bytes ? device->library_bytes(exchanges) : 0);
}

static judo_status sum_up(const judo_job *job, judo_memory_plan *plan)
{
    enum { PARTS = 40 }; /* of the block, beside a copy of the weights: one for every unit */

    judo_zero3_bytes model;
    JUDO_TRY(judo_zero3_plan(judo_model_layout(job->model), job->comm->size, &job->sharding,
                             &model));
    add_model(job, &model, plan);
    if (job->stage->for_grpo) {
        JUDO_TRY(add_stage3(job, model.resident, plan));
    }
    if (job->device->separate) {
        judo_memory_table_add_rounding(&plan->table,
                                       PARTS + judo_model_layout(job->model)->num_units);
    }
    judo_memory_table_add(&plan->table, "work memory of ops",
                          judo_model_work_bytes(job->model));
    add_exchange(job, &plan->table);
    return JUDO_OK;
}

judo_status judo_memory_plan_make(judo_job *job, judo_memory_plan *out)
{
    judo_memory_plan plan = {.movable = 0};
    JUDO_TRY(judo_agree(job->comm, sum_up(job, &plan)));
    *out = plan;
    return JUDO_OK;
}

void judo_memory_plan_print(const judo_job *job, const judo_memory_plan *plan)
{
    judo_memory_table_print(&plan->table, job->device->separate);
    if (!job->device->separate && job->config->zero.offload_optimizer != 0) {
        JUDO_INFO(
            "memory     zero.offload_optimizer changes nothing on the CPU: the optimizer's "
            "state is in host memory anyway");
    }
}

void judo_memory_plan_host(const judo_job *job, const judo_zero3 *weights, int64_t scratch)
{
    int64_t offloaded = judo_zero3_allocated(weights).offloaded;
    int64_t exchange = scratch + judo_zero3_exchange_bytes(weights);
    if (job->device->separate && offloaded + exchange > 0) {
        JUDO_INFO("memory     %.1f MB more per rank on the host: optimizer state %.1f, staging "
                  "and exchange %.1f",
                  megabytes(offloaded + exchange), megabytes(offloaded), megabytes(exchange));
    }
}

void judo_memory_plan_batches(const judo_job *job, int64_t num_batches)
{
    int64_t each = judo_batch_builder_bytes(job->processor, job->config->train.max_tokens,
                                            job->config->train.max_patches);
    JUDO_INFO("memory     up to %.1f MB more per rank: %lld batches of up to %.1f",
              megabytes(num_batches * each), (long long)num_batches, megabytes(each));
}
