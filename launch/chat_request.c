/* launch/chat_request.c: chat messages in JSON to a packed prompt. */
#include "launch/chat_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/chat_template.h"
#include "models/checkpoint_directory.h"

static judo_status open_model(const char *folder, int64_t max_tokens, int64_t max_patches, judo_chat_model *out)
{
    judo_qwen_config config;
    judo_weight_source source = {0};
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    judo_model_options options = {.forward_only = true, .max_tokens = max_tokens, .max_patches = max_patches};
    JUDO_TRY(judo_model_create(&config, judo_ops_cpu(), &options, &out->model));
    JUDO_TRY(judo_local_params_create(judo_model_layout(out->model), false, &out->params));
    JUDO_TRY(judo_model_source_open(folder, judo_model_layout(out->model), &source));
    judo_status status = judo_local_params_load(out->params, &source);
    judo_model_source_close(&source);
    return status;
}

static judo_status open_parts(const char *folder, int64_t max_tokens, int64_t max_patches, judo_chat_model *out)
{
    char path[1200];
    JUDO_TRY(judo_tokenizer_open(folder, &out->tokenizer));
    JUDO_TRY(judo_tokenizer_specials(out->tokenizer, &out->specials));
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", folder);
    out->processor = calloc(1, sizeof *out->processor);
    if (!out->processor) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the image processor");
    }
    JUDO_TRY(judo_image_processor_load(path, 0, out->processor));
    JUDO_TRY(judo_batch_builder_create(out->processor, &out->builder));
    JUDO_TRY(open_model(folder, max_tokens, max_patches, out));
    return judo_banned_ids(out->tokenizer, &out->specials, judo_model_config(out->model)->text.vocab_size, &out->banned);
}

judo_status judo_chat_model_open(const char *folder, int64_t max_tokens, int64_t max_patches, judo_chat_model *out)
{
    *out = (judo_chat_model){0};
    judo_status status = open_parts(folder, max_tokens, max_patches, out);
    if (status != JUDO_OK) {
        judo_chat_model_close(out);
    }
    return status;
}

void judo_chat_model_close(judo_chat_model *model)
{
    judo_batch_builder_destroy(&model->builder);
    judo_local_params_destroy(&model->params);
    judo_model_destroy(&model->model);
    free(model->processor);
    free(model->banned);
    judo_tokenizer_close(&model->tokenizer);
    *model = (judo_chat_model){0};
}
