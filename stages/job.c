/* stages/job.c: tokenizer, dataset, model and shards, opened in an order in which each mistake
 * is found early. */
#include "stages/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint_directory.h"
#include "models/dtype_table.h"
#include "parallel/agree.h"
#include "runtime/device_choice.h"
#include "runtime/device_planned.h"
#include "runtime/device_pool.h"
#include "runtime/dtype_choice.h"
#include "runtime/log.h"
#include "stages/device_memory.h"
#include "stages/memory_plan.h"
#include "stages/sharding.h"

static judo_status open_processor(judo_job *job)
{
    char path[JUDO_CONFIG_STRING_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", job->config->model.path);
    job->processor = calloc(1, sizeof *job->processor);
    if (!job->processor) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the image processor");
    }
    return judo_image_processor_load(path, (int32_t)job->config->data.pre_resize,
                                     job->processor);
}

static judo_status open_data(judo_job *job)
{
    const judo_train_config *config = job->config;
    JUDO_TRY(judo_tokenizer_open(config->model.path, &job->tokenizer));
    JUDO_TRY(judo_tokenizer_specials(job->tokenizer, &job->specials));
    JUDO_TRY(open_processor(job));
    JUDO_TRY(judo_dataset_open(config->data.path, job->processor->fingerprint, &job->dataset));
    JUDO_TRY(
        judo_dataset_select(job->dataset, job->stage->kind, &job->indices, &job->num_samples));
    if (config->data.limit > 0 && config->data.limit < job->num_samples) {
        job->num_samples = config->data.limit;
    }
    if (job->num_samples == 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: holds no sample for %s; pack it with this stage's data",
                         config->data.path, job->stage->name);
    }
    job->text = (judo_sample_text){.tokenizer = job->tokenizer, .processor = job->processor};
    job->text.style = (judo_prompt_style)config->data.prompts;
    job->text.options = (judo_option_layout)config->data.options;
    job->text.targets = (judo_target_style)config->data.targets;
    job->text.use_domain_text = config->data.use_domain_text;
    return judo_sampler_create((uint64_t)config->run.seed, job->num_samples, true,
                               &job->sampler);
}

/* A plan for GPUs can be made where there is none, but for what only its module knows. */
static judo_status choose_device(judo_job *job, int local_rank)
{
    const judo_device_choice choice = (judo_device_choice)job->config->device;
    judo_status status = judo_device_choose(choice, local_rank, &job->device);
    if (status != JUDO_ERROR_UNSUPPORTED || !job->only_planned) {
        return status;
    }
    job->device = judo_device_planned();
    JUDO_INFO("device     a GPU; the table lacks its work memory of ops, exchange between "
              "ranks, libraries and graphs, since none can be asked here (%s)",
              judo_error_message());
    return JUDO_OK;
}

/* One of its own for every rank, as far as there are any; all of one kind. Collective. */
static judo_status open_device(judo_job *job)
{
    judo_topology topology;
    JUDO_TRY(job->comm->ops->topology(job->comm, &topology));
    job->num_nodes = topology.num_nodes;
    JUDO_TRY(judo_agree(job->comm, choose_device(job, topology.local_rank)));
    int64_t kinds[2] = {job->device->separate, !job->device->separate};
    JUDO_TRY(judo_comm_max_i64(job->comm, kinds, 2));
    if (kinds[0] && kinds[1]) {
        return JUDO_FAIL(
            JUDO_ERROR_CONFIG,
            "device: some ranks have a GPU and others have none; set it to cuda to "
            "see what these miss, or to cpu");
    }
    const judo_device *chosen = job->device;
    return chosen->separate ? judo_agree(job->comm, judo_device_pool_open(chosen, &job->device))
                            : JUDO_OK;
}

static judo_status open_model(judo_job *job)
{
    const judo_train_config *config = job->config;
    judo_qwen_config qwen;
    JUDO_TRY(judo_qwen_config_load(config->model.path, &qwen));
    if (judo_tokenizer_size(job->tokenizer) > qwen.text.vocab_size) {
        return JUDO_FAIL(
            JUDO_ERROR_MISMATCH,
            "%s: the tokenizer has %d ids but the model's vocabulary has %lld rows",
            config->model.path, judo_tokenizer_size(job->tokenizer),
            (long long)qwen.text.vocab_size);
    }
    if (qwen.image_token_id != job->specials.image_pad) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: config.json says image_token_id %lld, the tokenizer says %d",
                         config->model.path, (long long)qwen.image_token_id,
                         job->specials.image_pad);
    }
    judo_model_options options = {
        .dtype = judo_dtype_of_choice(config->model.dtype),
        .max_tokens = config->train.max_tokens,
        .max_patches = config->train.max_patches,
        .freeze = {.vision_tower = config->model.freeze_vision,
                   .merger = config->model.freeze_merger,
                   .embeddings = config->model.freeze_text,
                   .text_decoder = config->model.freeze_text,
                   .head = config->model.freeze_text},
    };
    return judo_model_prepare(&qwen, job->device, &options, &job->model);
}

static void print_job(const judo_job *job)
{
    int64_t count = 0;
    const judo_param_layout *layout = judo_model_layout(job->model);
    for (int i = 0; i < layout->num_params; i++) {
        count += layout->params[i].count;
    }
    JUDO_INFO("model      %s: %.2f million parameters in %d units", job->config->model.path,
              1e-6 * (double)count, layout->num_units);
    JUDO_INFO("data       %s: %lld samples for %s", job->config->data.path,
              (long long)job->num_samples, job->stage->name);
    if (job->only_planned) {
        JUDO_INFO("ranks      %d on %d machine%s, planned", job->comm->size, job->num_nodes,
                  job->num_nodes == 1 ? "" : "s");
    } else {
        JUDO_INFO("ranks      %d, each with %d thread%s", job->comm->size, job->threads,
                  job->threads == 1 ? "" : "s");
    }
    JUDO_INFO("backward   computes %s again",
              judo_recompute_name(judo_model_recompute(job->model)));
    judo_dtype_table_log_training(judo_dtype_of_choice(job->config->model.dtype),
                                  judo_dtype_of_choice(job->config->zero.gradient_storage));
}

static judo_status plan_memory(judo_job *job, judo_recompute recompute, judo_memory_plan *out)
{
    JUDO_TRY(judo_agree(job->comm, judo_model_set_recompute(job->model, recompute)));
    JUDO_TRY(judo_sharding_choose(job));
    return judo_memory_plan_make(job, out);
}

/* What is recomputed is as configured, or the least for which a device's memory has room. */
static judo_status choose_recompute(judo_job *job, judo_memory_plan *out)
{
    enum { AUTO };

    const int wanted = job->config->model.activation_checkpointing;
    if (wanted != AUTO || !job->device->separate) {
        return plan_memory(
            job, wanted == AUTO ? JUDO_RECOMPUTE_UNIT : (judo_recompute)(wanted - 1), out);
    }
    int64_t missing = 1;
    for (int r = JUDO_RECOMPUTE_NOTHING; r <= JUDO_RECOMPUTE_UNIT && missing > 0; r++) {
        JUDO_TRY(plan_memory(job, (judo_recompute)r, out));
        JUDO_TRY(judo_device_memory_missing(job, out, &missing));
    }
    return JUDO_OK;
}

static judo_status open_shards(judo_job *job, const judo_memory_plan *plan)
{
    JUDO_TRY(judo_device_memory_reserve(job, plan));
    JUDO_TRY(judo_agree(job->comm, judo_model_take_memory(job->model)));
    JUDO_TRY(judo_zero3_create(job->comm, judo_model_layout(job->model), job->device,
                               &job->sharding, &job->zero));
    job->params = judo_zero3_params(job->zero);
    judo_memory_plan_host(job, job->zero, job->comm->scratch_bytes);
    return JUDO_OK;
}

static void count_steps(judo_job *job)
{
    const judo_train_config *config = job->config;
    job->total_steps = config->train.max_steps;
    if (job->total_steps == 0) {
        double steps = config->train.epochs * (double)job->num_samples /
                       job->stage->samples_per_step(config);
        job->total_steps = (int64_t)steps + (steps > (double)(int64_t)steps);
    }
}

/* The plan of memory comes before the first of it is taken. */
static judo_status open_planned(judo_job *job, judo_memory_plan *plan)
{
    JUDO_TRY(judo_agree(job->comm, open_data(job)));
    JUDO_TRY(open_device(job));
    JUDO_TRY(judo_agree(job->comm, open_model(job)));
    JUDO_TRY(choose_recompute(job, plan));
    count_steps(job);
    print_job(job);
    judo_memory_plan_print(job, plan);
    return JUDO_OK;
}

judo_status judo_job_open(judo_comm *comm, const judo_stage *stage,
                          const judo_train_config *config, int threads, judo_job *out)
{
    judo_memory_plan plan;
    *out = (judo_job){.config = config,
                      .stage = stage,
                      .comm = comm,
                      .device = judo_device_cpu(),
                      .threads = threads};
    judo_status status = open_planned(out, &plan);
    if (status == JUDO_OK) {
        status = open_shards(out, &plan);
    }
    if (status != JUDO_OK) {
        judo_job_close(out);
    }
    return status;
}

judo_status judo_job_plan(judo_comm *comm, const judo_stage *stage,
                          const judo_train_config *config, int64_t rank_memory, judo_job *out,
                          judo_memory_plan *plan)
{
    *out = (judo_job){.config = config,
                      .stage = stage,
                      .comm = comm,
                      .device = judo_device_cpu(),
                      .only_planned = true,
                      .rank_memory = rank_memory};
    judo_status status = open_planned(out, plan);
    if (status != JUDO_OK) {
        judo_job_close(out);
    }
    return status;
}

void judo_job_close(judo_job *job)
{
    judo_zero3_destroy(&job->zero);
    judo_model_destroy(&job->model);
    judo_device_pool_close(&job->device);
    judo_sampler_destroy(&job->sampler);
    free(job->indices);
    judo_dataset_close(&job->dataset);
    free(job->processor);
    judo_tokenizer_close(&job->tokenizer);
    *job = (judo_job){0};
}

judo_status judo_job_load_model(judo_job *job)
{
    judo_weight_source source = {0};
    const judo_param_layout *layout = judo_model_layout(job->model);
    JUDO_TRY(judo_agree(job->comm,
                        judo_model_source_open(job->config->model.path, layout, &source)));
    judo_status status = judo_zero3_load(job->zero, &source);
    judo_model_source_close(&source);
    return status;
}

static judo_status write_range(void *context, int param_index, int64_t first, int64_t count,
                               const float *values)
{
    return judo_model_writer_write(context, param_index, first, count, values);
}

/* The three phases of a parallel write, with an agreement behind each. */
static judo_status write_model(judo_job *job, judo_model_writer *writer, const char *folder)
{
    bool chief = job->comm->rank == 0;
    JUDO_TRY(judo_agree(job->comm, chief ? judo_model_writer_begin(writer) : JUDO_OK));
    judo_status status = judo_zero3_for_each_owned(job->zero, write_range, writer);
    if (status == JUDO_OK) {
        status = judo_model_writer_sync(writer);
    }
    JUDO_TRY(judo_agree(job->comm, status));
    status = JUDO_OK;
    if (chief) {
        status = judo_model_copy_files(job->config->model.path, folder);
        if (status == JUDO_OK) {
            status = judo_model_writer_end(writer);
        }
    }
    return judo_agree(job->comm, status);
}

judo_status judo_job_save_model(judo_job *job, const char *folder)
{
    judo_model_writer *writer = NULL;
    judo_dtype dtype = job->config->model.save_dtype == 1 ? JUDO_BF16 : JUDO_F32;
    JUDO_TRY(
        judo_agree(job->comm, judo_model_writer_create(folder, judo_model_layout(job->model),
                                                       dtype, 0, &writer)));
    judo_status status = write_model(job, writer, folder);
    judo_model_writer_destroy(&writer);
    return status;
}
