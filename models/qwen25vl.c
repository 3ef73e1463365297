/* models/qwen25vl.c: the model as a whole: creation, and one pass over a batch. */
#include "models/qwen25vl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "models/batch_check.h"
#include "models/decoder_block.h"
#include "models/model_state.h"
#include "models/vision_block.h"

enum { HEAD_CHUNK_ROWS = 256, SEPARATE_HEAD_CHUNK_ROWS = 1024, MOST_DRAWN_ROWS = 512 };

static judo_activation_options activation_options(const judo_model_options *options,
                                                  const judo_device *device, bool backward)
{
    return (judo_activation_options){.dtype = options->dtype,
                                     .recompute = options->recompute,
                                     .backward = backward,
                                     .separate = device->separate,
                                     .reach = judo_reach_of(&options->freeze)};
}

static judo_status check_options(const judo_qwen_config *config,
                                 const judo_model_options *options)
{
    int64_t limit = INT32_MAX / 4; /* three positions per token must fit an int32 */
    if (options->dtype != JUDO_F32 && options->dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "activations of type %s; use F32 or BF16",
                         judo_dtype_name(options->dtype));
    }
    if (options->max_tokens < 0 || options->max_tokens > limit || options->max_patches < 0 ||
        options->max_patches > limit || options->max_targets < 0 ||
        options->max_targets > limit || options->head_chunk_rows < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "model options: max_tokens %" PRId64 ", max_patches %" PRId64
                         ", max_targets %" PRId64 " must lie in [0, %" PRId64 "]",
                         options->max_tokens, options->max_patches, options->max_targets,
                         limit);
    }
    return judo_qwen_config_check(config, "model");
}

static judo_activation_counts largest(const judo_qwen_config *config,
                                      const judo_model_options *options)
{
    int64_t unit = judo_qwen_merge_unit(config);
    return (judo_activation_counts){.tokens = options->max_tokens,
                                    .patches = options->max_patches,
                                    .visual = options->max_patches / unit,
                                    .targets = options->max_targets ? options->max_targets
                                                                    : options->max_tokens};
}

static judo_status plan_bytes(const judo_qwen_config *config, const judo_device *device,
                              const judo_model_options *options, judo_activation_bytes *bytes)
{
    JUDO_TRY(check_options(config, options));
    judo_activation_options plan = activation_options(options, device, !options->forward_only);
    judo_activation_counts counts = largest(config, options);
    return judo_activation_plan(config, &plan, &counts, bytes);
}

/* Lists are host memory, which the CPU's tensors share. */
static int64_t device_bytes(const judo_device *device, int64_t tensors, int64_t lists)
{
    return tensors + (device->separate ? 0 : lists);
}

/* What the device's ops will be asked for at most, passes and decoding. */
static judo_device_work work_of(const judo_qwen_config *config,
                                const judo_model_options *options)
{
    const judo_qwen_text_config *text = &config->text;
    judo_activation_counts counts = largest(config, options);
    int64_t width = text->intermediate_size > config->vision.intermediate_size
                        ? text->intermediate_size
                        : config->vision.intermediate_size;
    return (judo_device_work){
        .rows = counts.tokens > counts.patches ? counts.tokens : counts.patches,
        .columns = width > text->hidden_size ? width : text->hidden_size,
        .heads = text->num_heads > config->vision.num_heads ? text->num_heads
                                                            : config->vision.num_heads,
        .head_dim = text->head_dim,
        .targets = counts.targets,
        .chunk_rows = options->head_chunk_rows,
        .vocabulary = text->vocab_size,
        .drawn_rows = MOST_DRAWN_ROWS,
    };
}

static int64_t work_bytes(const judo_device *device, const judo_qwen_config *config,
                          const judo_model_options *options)
{
    judo_device_work work = work_of(config, options);
    return device->work_bytes ? device->work_bytes(&work) : 0;
}

/* The options with what was left to the device. */
static judo_model_options resolved(const judo_model_options *options, const judo_device *device)
{
    judo_model_options out = *options;
    if (out.head_chunk_rows == 0) {
        /* Every chunk reads and writes the whole gradient of the head's matrix: where that
         * costs more than a product of 256 rows, on a GPU, chunks are larger. */
        out.head_chunk_rows =
            device->separate ? (int64_t)SEPARATE_HEAD_CHUNK_ROWS : (int64_t)HEAD_CHUNK_ROWS;
    }
    return out;
}

judo_status judo_model_plan(const judo_qwen_config *config, const judo_device *device,
                            const judo_model_options *options, int64_t *bytes)
{
    judo_activation_bytes plan;
    judo_model_options whole = resolved(options, device);
    JUDO_TRY(plan_bytes(config, device, &whole, &plan));
    *bytes =
        device_bytes(device, plan.tensors, plan.lists) + work_bytes(device, config, &whole);
    return JUDO_OK;
}

static judo_status plan(judo_model *model)
{
    JUDO_TRY(plan_bytes(&model->config, model->device, &model->options, &model->planned));
    JUDO_TRY(judo_qwen_layout_create(&model->config, &model->options.freeze, &model->layout));
    JUDO_TRY(judo_schedule_create(&model->config, &model->reach, false, &model->forward));
    JUDO_TRY(judo_schedule_create(&model->config, &model->reach, true, &model->training));
    return judo_activations_create(&model->config, &model->activations);
}

judo_status judo_model_set_recompute(judo_model *model, judo_recompute recompute)
{
    model->options.recompute = recompute;
    return plan_bytes(&model->config, model->device, &model->options, &model->planned);
}

judo_recompute judo_model_recompute(const judo_model *model)
{
    return model->options.recompute;
}

judo_status judo_model_take_memory(judo_model *model)
{
    const judo_activation_bytes *bytes = &model->planned;
    JUDO_TRY(judo_arena_create(judo_device_cpu(), bytes->lists, &model->lists));
    JUDO_TRY(judo_staging_create(model->device, bytes->staging, &model->staging));
    if (model->device->reserve_work) {
        judo_device_work work = work_of(&model->config, &model->options);
        JUDO_TRY(model->device->reserve_work(&work));
    }
    return judo_arena_create(model->device, bytes->tensors, &model->arena);
}

judo_status judo_model_prepare(const judo_qwen_config *config, const judo_device *device,
                               const judo_model_options *options, judo_model **out)
{
    JUDO_TRY(judo_device_check(device));
    judo_model *model = calloc(1, sizeof *model);
    if (!model) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a model");
    }
    model->config = *config;
    model->options = resolved(options, device);
    model->device = device;
    model->ops = device->ops;
    model->units = judo_qwen_units_of(config);
    model->reach = judo_reach_of(&options->freeze);
    model->vision_shape = judo_vision_block_shape(&config->vision);
    model->decoder_shape = judo_decoder_block_shape(&config->text);
    judo_status status = plan(model);
    if (status != JUDO_OK) {
        judo_model_destroy(&model);
        return status;
    }
    *out = model;
    return JUDO_OK;
}

judo_status judo_model_create(const judo_qwen_config *config, const judo_device *device,
                              const judo_model_options *options, judo_model **out)
{
    judo_model *model = NULL;
    JUDO_TRY(judo_model_prepare(config, device, options, &model));
    judo_status status = judo_model_take_memory(model);
    if (status != JUDO_OK) {
        judo_model_destroy(&model);
        return status;
    }
    *out = model;
    return JUDO_OK;
}

void judo_model_destroy(judo_model **model)
{
    judo_model *self = *model;
    if (!self) {
        return;
    }
    judo_model_forget_replays(self);
    judo_qwen_layout_destroy(&self->layout);
    judo_schedule_destroy(&self->forward);
    judo_schedule_destroy(&self->training);
    judo_activations_destroy(&self->activations);
    judo_staging_destroy(&self->staging);
    judo_arena_destroy(&self->arena);
    judo_arena_destroy(&self->lists);
    free(self);
    *model = NULL;
}

const judo_param_layout *judo_model_layout(const judo_model *model)
{
    return model->layout;
}

const judo_device *judo_model_device(const judo_model *model)
{
    return model->device;
}

const judo_qwen_config *judo_model_config(const judo_model *model)
{
    return &model->config;
}

int64_t judo_model_activation_bytes(const judo_model *model)
{
    return device_bytes(model->device, model->planned.tensors, model->planned.lists) +
           judo_model_work_bytes(model);
}

int64_t judo_model_work_bytes(const judo_model *model)
{
    return work_bytes(model->device, &model->config, &model->options);
}

void judo_model_set_banned(judo_model *model, const uint8_t *banned)
{
    model->banned = banned;
}

static judo_status check_fit(const judo_model *model, const judo_activation_counts *n)
{
    judo_activation_counts max = largest(&model->config, &model->options);
    if (n->tokens > max.tokens || n->patches > max.patches || n->targets > max.targets) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "batch of %" PRId64 " tokens, %" PRId64 " patches, %" PRId64
                         " targets; the model is planned for %" PRId64 ", %" PRId64
                         " and %" PRId64 ": raise max_tokens or max_patches",
                         n->tokens, n->patches, n->targets, max.tokens, max.patches,
                         max.targets);
    }
    return JUDO_OK;
}

static judo_activation_counts counts_of(const judo_batch *batch, int32_t num_targets)
{
    return (judo_activation_counts){.tokens = batch->num_tokens,
                                    .patches = batch->num_patches,
                                    .visual = batch->num_visual,
                                    .targets = num_targets};
}

judo_status judo_model_check_batch(const judo_model *model, const judo_batch *batch)
{
    judo_activation_counts counts = counts_of(batch, batch->num_targets);
    JUDO_TRY(judo_batch_check(&model->config, batch));
    return check_fit(model, &counts);
}

/* Checks the batch against the plan and takes the pass's buffers. */
static judo_status begin(judo_pass *pass, int32_t num_targets)
{
    judo_model *model = pass->model;
    if (pass->params->compute_dtype != model->options.dtype) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH, "weights are %s but activations are %s",
                         judo_dtype_name(pass->params->compute_dtype),
                         judo_dtype_name(model->options.dtype));
    }
    if (pass->backward && model->options.forward_only) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "the model was planned for forward passes only");
    }
    judo_activation_counts counts = counts_of(pass->batch, num_targets);
    JUDO_TRY(judo_batch_check(&model->config, pass->batch));
    JUDO_TRY(check_fit(model, &counts));
    JUDO_TRY(judo_staging_begin(&model->staging));
    judo_arena_reset(&model->arena);
    judo_arena_reset(&model->lists);
    judo_activations_take(&model->arena, &model->lists, &model->config, &pass->options, &counts,
                          &model->activations);
    JUDO_TRY(judo_arena_check(&model->lists, "the batch's lists"));
    return judo_arena_check(&model->arena, "the batch");
}

static judo_pass make_pass(judo_model *model, judo_params *params, const judo_batch *batch,
                           bool backward)
{
    const judo_schedule *schedule = backward ? &model->training : &model->forward;
    return (judo_pass){.model = model,
                       .compute = {.ops = model->ops, .params = params},
                       .params = params,
                       .batch = batch,
                       .backward = backward,
                       .options = activation_options(&model->options, model->device, backward),
                       .schedule = schedule->units,
                       .schedule_length = schedule->length};
}

static judo_status run(judo_pass *pass, const judo_token_loss *loss, judo_token_result *result)
{
    JUDO_TRY(begin(pass, pass->batch->num_targets));
    JUDO_TRY(judo_vision_forward(pass));
    JUDO_TRY(judo_embed_forward(pass));
    JUDO_TRY(judo_decoder_forward(pass, NULL));
    JUDO_TRY(judo_head_run(pass, loss, result));
    if (pass->backward) {
        JUDO_TRY(judo_decoder_backward(pass));
        JUDO_TRY(judo_embed_backward(pass));
        JUDO_TRY(judo_vision_backward(pass));
    }
    return JUDO_OK;
}

judo_status judo_model_run(judo_model *model, judo_params *params, const judo_batch *batch,
                           const judo_token_loss *loss, bool backward,
                           judo_token_result *result)
{
    judo_pass pass = make_pass(model, params, batch, backward);
    judo_token_loss spec = *loss;
    judo_token_result unwanted = {0};
    if (!spec.weights) {
        spec.weights = batch->target_weights;
    }
    judo_status status = run(&pass, &spec, result ? result : &unwanted);
    if (status != JUDO_OK) {
        judo_pass_abandon(&pass);
    }
    return status;
}

static judo_status prefill(judo_pass *pass, const judo_kv_sink *sink, const int32_t *rows,
                           int32_t num_rows, judo_tensor *hidden)
{
    JUDO_TRY(begin(pass, num_rows));
    JUDO_TRY(judo_vision_forward(pass));
    JUDO_TRY(judo_embed_forward(pass));
    JUDO_TRY(judo_decoder_forward(pass, sink));
    return judo_head_norm_rows(pass, rows, num_rows, hidden);
}

judo_status judo_model_prefill(judo_model *model, judo_params *params, const judo_batch *batch,
                               const judo_kv_sink *sink, const int32_t *rows, int32_t num_rows,
                               judo_tensor *hidden)
{
    judo_pass pass = make_pass(model, params, batch, false);
    if (model->config.text.tie_word_embeddings) {
        pass.schedule_length--; /* the head's matrix stays with the caller */
    }
    judo_status status = prefill(&pass, sink, rows, num_rows, hidden);
    if (status != JUDO_OK) {
        judo_pass_abandon(&pass);
    }
    return status;
}
