/* launch/chat_request.c: messages in JSON to a rendered prompt with its pictures. */
#include "launch/chat_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/chat_template.h"

enum { MAX_IMAGES = 64, MAX_PATH_BYTES = 4096 };

/* What one request is read into; the arrays have room for all of its messages and parts. */
typedef struct reader {
    const judo_chat_model *model;
    const char *source;
    judo_chat_message *messages;
    judo_chat_part *parts;
    int32_t num_messages, num_parts;
    int32_t image_tokens[MAX_IMAGES];
    judo_chat_prompt *out;
} reader;

static judo_status resolve(const reader *r, const char *path, char full[MAX_PATH_BYTES])
{
    bool absolute = path[0] == '/' || r->model->options.root == NULL;
    int length = snprintf(full, MAX_PATH_BYTES, "%s%s%s",
                          absolute ? "" : r->model->options.root, absolute ? "" : "/", path);
    if (path[0] == '\0' || length >= MAX_PATH_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: the image path '%.60s' is empty or too long",
                         r->source, path);
    }
    return JUDO_OK;
}

static judo_status read_image(reader *r, const char *path)
{
    char full[MAX_PATH_BYTES];
    judo_image picture = {0};
    const judo_image_processor *processor = &r->model->processor;
    judo_chat_prompt *out = r->out;
    int32_t grid_h, grid_w;
    if (out->num_images == MAX_IMAGES) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than %d images in one request", r->source,
                         MAX_IMAGES);
    }
    JUDO_TRY(resolve(r, path, full));
    JUDO_TRY(judo_image_read(full, 3, &picture));
    judo_image *image = &out->images[out->num_images];
    judo_status status = judo_image_processor_resize(processor, &picture, image);
    judo_image_free(&picture);
    JUDO_TRY(status);
    r->image_tokens[out->num_images++] = 0; /* `out` owns the picture from here on */
    JUDO_TRY(judo_image_processor_grid(processor, image, &grid_h, &grid_w));
    int64_t patches = (int64_t)grid_h * grid_w;
    int32_t merged = processor->merge_size * processor->merge_size;
    r->image_tokens[out->num_images - 1] = (int32_t)(patches / merged);
    out->num_patches += patches;
    return judo_chat_model_check_size(r->model, patches / merged, out->num_patches);
}

static judo_status read_part(reader *r, const judo_json *item, const char *place)
{
    const char *type;
    judo_chat_part *part = &r->parts[r->num_parts];
    JUDO_TRY(judo_json_get_string(item, "type", place, &type));
    if (strcmp(type, "text") == 0) {
        *part = (judo_chat_part){.kind = JUDO_CHAT_TEXT};
        JUDO_TRY(judo_json_get_string(item, "text", place, &part->text));
    } else if (strcmp(type, "image") == 0) {
        const char *path;
        *part = (judo_chat_part){.kind = JUDO_CHAT_IMAGE};
        JUDO_TRY(judo_json_get_string(item, "image", place, &path));
        JUDO_TRY(read_image(r, path));
    } else {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: content of type '%.40s'; judo knows \"text\" and \"image\"",
                         place, type);
    }
    r->num_parts++;
    return JUDO_OK;
}

static judo_status read_message(reader *r, const judo_json *item, const char *place)
{
    const judo_json *content = judo_json_get(item, "content");
    judo_chat_message *message = &r->messages[r->num_messages++];
    *message = (judo_chat_message){.parts = &r->parts[r->num_parts]};
    JUDO_TRY(judo_json_get_string(item, "role", place, &message->role));
    if (judo_json_is_string(content)) {
        judo_chat_part *part = &r->parts[r->num_parts++];
        *part = (judo_chat_part){.kind = JUDO_CHAT_TEXT};
        message->num_parts = 1;
        return judo_json_as_string(content, place, &part->text);
    }
    if (!judo_json_is_array(content)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'content' must be a text or a list of parts",
                         place);
    }
    for (const judo_json *part = judo_json_first(content); part; part = judo_json_next(part)) {
        JUDO_TRY(read_part(r, part, place));
        message->num_parts++;
    }
    return JUDO_OK;
}

/* The pictures' paths and the texts stay in the request. */
static judo_status allocate(reader *r, const judo_json *messages)
{
    size_t num_messages = 0;
    size_t num_parts = 0;
    for (const judo_json *item = judo_json_first(messages); item; item = judo_json_next(item)) {
        num_messages++;
        num_parts += 1 + (size_t)judo_json_size(judo_json_get(item, "content"));
    }
    r->messages = calloc(num_messages + 1, sizeof *r->messages);
    r->parts = calloc(num_parts + 1, sizeof *r->parts);
    r->out->images = calloc(MAX_IMAGES, sizeof *r->out->images);
    if (!r->messages || !r->parts || !r->out->images) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for %zu messages", r->source,
                         num_messages);
    }
    return JUDO_OK;
}

static judo_status read_all(reader *r, const judo_json *request, const judo_json *messages)
{
    char place[1300];
    judo_chat_options options = {0};
    JUDO_TRY(judo_json_get_bool_or(request, "add_vision_id", r->source, false,
                                   &options.add_vision_id));
    JUDO_TRY(judo_json_get_bool_or(request, "add_generation_prompt", r->source, true,
                                   &options.add_generation_prompt));
    JUDO_TRY(allocate(r, messages));
    for (const judo_json *item = judo_json_first(messages); item; item = judo_json_next(item)) {
        (void)snprintf(place, sizeof place, "%s: message %d", r->source, r->num_messages + 1);
        JUDO_TRY(read_message(r, item, place));
    }
    judo_chat_prompt *out = r->out;
    JUDO_TRY(judo_chat_render(r->model->tokenizer, r->messages, r->num_messages,
                              r->image_tokens, out->num_images, &options, &out->ids,
                              &out->image_starts));
    JUDO_TRY(judo_chat_model_check_size(r->model, out->ids.count, out->num_patches));
    out->view = (judo_sequence){.tokens = out->ids.ids,
                                .num_tokens = (int32_t)out->ids.count,
                                .first_target = (int32_t)out->ids.count,
                                .num_images = out->num_images,
                                .images = out->images,
                                .image_starts = out->image_starts.ids};
    return JUDO_OK;
}

judo_status judo_chat_prompt_read(const judo_chat_model *model, const judo_json *request,
                                  const char *source, judo_chat_prompt *out)
{
    const judo_json *messages = judo_json_get(request, "messages");
    reader r = {.model = model, .source = source, .out = out};
    *out = (judo_chat_prompt){0};
    if (!judo_json_is_array(messages) || judo_json_size(messages) == 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: needs 'messages', a list of {\"role\", \"content\"}", source);
    }
    judo_status status = read_all(&r, request, messages);
    free(r.messages);
    free(r.parts);
    if (status != JUDO_OK) {
        judo_chat_prompt_free(out);
    }
    return status;
}

void judo_chat_prompt_free(judo_chat_prompt *prompt)
{
    for (int32_t i = 0; i < prompt->num_images; i++) {
        judo_image_free(&prompt->images[i]);
    }
    free(prompt->images);
    judo_ids_free(&prompt->ids);
    judo_ids_free(&prompt->image_starts);
    *prompt = (judo_chat_prompt){0};
}

judo_status judo_chat_copy_id(const judo_json *request, const char *source,
                              judo_json_writer *answer)
{
    const judo_json *id = judo_json_get(request, "id");
    if (judo_json_is_string(id)) {
        const char *text;
        JUDO_TRY(judo_json_as_string(id, source, &text));
        judo_json_put_string(answer, "id", text);
    } else if (judo_json_is_number(id)) {
        double number;
        JUDO_TRY(judo_json_as_double(id, source, &number));
        judo_json_put_double(answer, "id", number);
    }
    return JUDO_OK;
}
