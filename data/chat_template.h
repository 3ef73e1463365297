/* data/chat_template.h: conversations as Qwen2.5-VL's chat template renders them. */
#ifndef JUDO_DATA_CHAT_TEMPLATE_H
#define JUDO_DATA_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/buffers.h"
#include "data/tokenizer.h"
#include "runtime/status.h"

/* The template itself (Jinja), as tokenizer_config.json carries it. */
extern const char judo_chat_template_source[];

typedef enum judo_chat_part_kind { JUDO_CHAT_TEXT, JUDO_CHAT_IMAGE } judo_chat_part_kind;

typedef struct judo_chat_part {
    judo_chat_part_kind kind;
    const char *text; /* JUDO_CHAT_TEXT: borrowed */
} judo_chat_part;

typedef struct judo_chat_message {
    const char *role; /* "system", "user", "assistant" */
    const judo_chat_part *parts;
    int32_t num_parts;
} judo_chat_message;

typedef struct judo_chat_options {
    bool add_vision_id;         /* "Picture 1: " before each image */
    bool add_generation_prompt; /* ends with the assistant's header */
    bool strip_end;             /* drops the last newline (the reference code strips texts) */
    bool specials_as_text; /* special tokens written in a role or text are plain text, not an
                              error */
} judo_chat_options;

/* Appends the ids of the conversation. Without a system message in front, the default one is
 * put there. Image i becomes image_tokens[i] (> 0) copies of the image_pad id between
 * vision_start and vision_end; the number of image parts must be num_images
 * (JUDO_ERROR_MISMATCH). `image_starts` gets for each image the index in `out` of its first
 * image_pad. Text between special tokens is encoded as one run, so the ids are those of the
 * rendered text. On failure both outputs are as before. */
judo_status judo_chat_render(const judo_tokenizer *tokenizer, const judo_chat_message *messages,
                             int32_t num_messages, const int32_t *image_tokens,
                             int32_t num_images, const judo_chat_options *options,
                             judo_ids *out, judo_ids *image_starts) JUDO_MUST_CHECK;

/* Appends the rendered text, with one <|image_pad|> for each image. `specials_as_text` is not
 * looked at: the text shows what was written. */
judo_status judo_chat_text(const judo_chat_message *messages, int32_t num_messages,
                           const judo_chat_options *options, judo_text *out) JUDO_MUST_CHECK;

#endif
