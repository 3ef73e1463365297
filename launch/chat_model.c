/* launch/chat_model.c: opens the parts of a model directory and checks that they fit. */
#include "launch/chat_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/banned_ids.h"
#include "runtime/device_choice.h"
#include "runtime/dtype_choice.h"

static judo_status check_options(const judo_chat_model_options *options)
{
    const int64_t most = 10000000;
    if (options->max_tokens < 16 || options->max_tokens > most || options->max_patches < 0 ||
        options->max_patches > most) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "--max-tokens %lld must be 16 to %lld, --max-patches %lld 0 to %lld",
                         (long long)options->max_tokens, (long long)most,
                         (long long)options->max_patches, (long long)most);
    }
    return JUDO_OK;
}

static judo_status check_vocabulary(const judo_chat_model *model, const char *folder)
{
    const judo_qwen_config *config = judo_model_config(model->local.model);
    if (judo_tokenizer_size(model->tokenizer) > config->text.vocab_size ||
        config->image_token_id != model->specials.image_pad) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s: config.json (vocab_size %lld, image_token_id %lld) and the "
                         "tokenizer (%d ids, <|image_pad|> %d) are not of one model; take both "
                         "from the same directory",
                         folder, (long long)config->text.vocab_size,
                         (long long)config->image_token_id,
                         judo_tokenizer_size(model->tokenizer), model->specials.image_pad);
    }
    return JUDO_OK;
}

/* The small files. */
static judo_status open_prompt_parts(const char *folder, judo_chat_model *out)
{
    char path[1200];
    JUDO_TRY(check_options(&out->options));
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", folder);
    JUDO_TRY(judo_tokenizer_open(folder, &out->tokenizer));
    JUDO_TRY(judo_tokenizer_specials(out->tokenizer, &out->specials));
    return judo_image_processor_load(path, 0, &out->processor);
}

/* The small files first: their mistakes show before the weights are read. */
static judo_status open_parts(const char *folder, judo_chat_model *out)
{
    const judo_chat_model_options *options = &out->options;
    judo_dtype dtype;
    judo_device_choice choice;
    const judo_device *device;
    JUDO_TRY(judo_dtype_parse(options->dtype, "--dtype", &dtype));
    JUDO_TRY(judo_device_parse(options->device, "--device", &choice));
    JUDO_TRY(open_prompt_parts(folder, out));
    JUDO_TRY(judo_batch_builder_create(&out->processor, &out->builder));
    JUDO_TRY(judo_device_choose(choice, 0, &device));
    JUDO_TRY(judo_local_model_open(folder, device, options->max_tokens, options->max_patches,
                                   dtype, &out->local));
    JUDO_TRY(check_vocabulary(out, folder));
    if (!options->ban_controls) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_banned_ids(out->tokenizer, &out->specials,
                             judo_model_config(out->local.model)->text.vocab_size,
                             &out->banned));
    judo_model_set_banned(out->local.model, out->banned);
    return JUDO_OK;
}

judo_status judo_chat_model_open(const char *folder, const judo_chat_model_options *options,
                                 judo_chat_model *out)
{
    *out = (judo_chat_model){.options = *options};
    judo_status status = open_parts(folder, out);
    if (status != JUDO_OK) {
        judo_chat_model_close(out);
    }
    return status;
}

judo_status judo_chat_model_open_prompts(const char *folder,
                                         const judo_chat_model_options *options,
                                         judo_chat_model *out)
{
    *out = (judo_chat_model){.options = *options};
    judo_status status = open_prompt_parts(folder, out);
    if (status != JUDO_OK) {
        judo_chat_model_close(out);
    }
    return status;
}

void judo_chat_model_close(judo_chat_model *model)
{
    judo_batch_builder_destroy(&model->builder);
    judo_local_model_close(&model->local);
    judo_tokenizer_close(&model->tokenizer);
    free(model->banned);
    *model = (judo_chat_model){0};
}

judo_status judo_chat_model_check_size(const judo_chat_model *model, int64_t tokens,
                                       int64_t patches)
{
    const judo_chat_model_options *options = &model->options;
    if (tokens > options->max_tokens || patches > options->max_patches) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "the request has %lld tokens and %lld image patches; memory is "
                         "planned for %lld and %lld: raise --max-tokens or --max-patches, or "
                         "send smaller pictures",
                         (long long)tokens, (long long)patches, (long long)options->max_tokens,
                         (long long)options->max_patches);
    }
    return JUDO_OK;
}
