/* launch/chat_request.h: the "messages" of a request, rendered to the ids of a prompt. */
#ifndef JUDO_LAUNCH_CHAT_REQUEST_H
#define JUDO_LAUNCH_CHAT_REQUEST_H

#include "launch/chat_model.h"
#include "runtime/json.h"

/* A prompt that ends with the assistant's header, unless asked otherwise. Owns everything;
 * `view` borrows from it, so the prompt must stay where it was read. */
typedef struct judo_chat_prompt {
    judo_ids ids, image_starts;
    judo_image *images; /* at processed size */
    int32_t num_images;
    int64_t num_patches;
    judo_sequence view;
} judo_chat_prompt;

/* Reads "messages" in the hub's form: an array of {"role", "content"}, content a string or a
 * list of {"type": "text", "text"} and {"type": "image", "image": path}. Reads the pictures,
 * too. "add_vision_id" (false) and "add_generation_prompt" (true) mean what they mean to
 * apply_chat_template. `source` names the request in errors. `out` is empty after a failure. */
judo_status judo_chat_prompt_read(const judo_chat_model *model, const judo_json *request,
                                  const char *source, judo_chat_prompt *out) JUDO_MUST_CHECK;
void judo_chat_prompt_free(judo_chat_prompt *prompt);

/* Copies the request's "id", a text or a number, if it has one. */
judo_status judo_chat_copy_id(const judo_json *request, const char *source,
                              judo_json_writer *answer) JUDO_MUST_CHECK;

#endif
