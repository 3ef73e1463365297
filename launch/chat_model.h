/* launch/chat_model.h: what `judo score` and `judo generate` share: a model directory opened
 * whole in this process, with tokenizer and image processor. */
#ifndef JUDO_LAUNCH_CHAT_MODEL_H
#define JUDO_LAUNCH_CHAT_MODEL_H

#include "data/batch_builder.h"
#include "data/tokenizer.h"
#include "launch/local_model.h"

typedef struct judo_chat_model_options {
    const char *root;                /* what image paths are relative to */
    int64_t max_tokens, max_patches; /* of one request; memory is planned for them */
    const char *dtype;               /* what the model computes in: JUDO_DTYPE_CHOICES */
    const char *device;              /* where it computes: JUDO_DEVICE_CHOICES */
    bool ban_controls; /* vision and control tokens, and rows without a token, cannot be drawn
                        */
} judo_chat_model_options;

typedef struct judo_chat_model {
    judo_chat_model_options options;
    judo_tokenizer *tokenizer;
    judo_special_ids specials;
    judo_image_processor processor;
    judo_local_model local;
    judo_batch_builder *builder;
    uint8_t *banned; /* [vocabulary], NULL: none */
} judo_chat_model;

/* `folder` is borrowed for the call, `options->root` until the model is closed. `out` must stay
 * where it is while open. */
judo_status judo_chat_model_open(const char *folder, const judo_chat_model_options *options,
                                 judo_chat_model *out) JUDO_MUST_CHECK;
/* The same without weights: only prompts can be read. */
judo_status judo_chat_model_open_prompts(const char *folder,
                                         const judo_chat_model_options *options,
                                         judo_chat_model *out) JUDO_MUST_CHECK;
void judo_chat_model_close(judo_chat_model *model);

/* JUDO_ERROR_ARGUMENT, with the numbers, unless `tokens` and `patches` fit the plan. */
judo_status judo_chat_model_check_size(const judo_chat_model *model, int64_t tokens,
                                       int64_t patches) JUDO_MUST_CHECK;

#endif
