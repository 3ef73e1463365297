/* launch/chat_request.h: requests of `judo score` and `judo generate`: chat messages with image paths, as sequences. */
#ifndef JUDO_LAUNCH_CHAT_REQUEST_H
#define JUDO_LAUNCH_CHAT_REQUEST_H

#include "data/banned_ids.h"
#include "data/batch_builder.h"
#include "data/buffers.h"
#include "data/image_processor.h"
#include "data/tokenizer.h"
#include "models/qwen25vl.h"
#include "runtime/json.h"
#include "runtime/params.h"

/* A model directory opened whole in this process: what the filters share. */
typedef struct judo_chat_model {
    judo_tokenizer *tokenizer;
    judo_special_ids specials;
    uint8_t *banned; /* [vocabulary] */
    judo_image_processor *processor;
    judo_model *model;
    judo_local_params *params;
    judo_batch_builder *builder;
} judo_chat_model;

judo_status judo_chat_model_open(const char *folder, int64_t max_tokens, int64_t max_patches, judo_chat_model *out) JUDO_MUST_CHECK;
void judo_chat_model_close(judo_chat_model *model);

/* The prompt of one request. Owns ids and images. */
typedef struct judo_chat_prompt {
    judo_ids ids;
    judo_image *images;      /* resized for the processor */
    int32_t *image_starts;
    int32_t num_images;
} judo_chat_prompt;

/* Renders "messages" (Hugging Face's shape: role and content, a string or a list of {"type": "text"|"image"} parts) with the
 * assistant's header behind. `source` names the request in errors. */
judo_status judo_chat_prompt_read(const judo_chat_model *model, const judo_json *request, const char *source,
                                  judo_chat_prompt *out) JUDO_MUST_CHECK;
void judo_chat_prompt_free(judo_chat_prompt *prompt);

#endif
