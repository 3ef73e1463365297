/* data/chat_template.c: one walk over the conversation; its pieces go to text or to ids. */
#include "data/chat_template.h"

#include <string.h>

const char judo_chat_template_source[] =
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}"
    "Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/* Where the pieces of a conversation go. */
typedef struct renderer {
    judo_text text; /* for ids: the run of text since the last special token */
    int32_t images; /* seen so far */
    const judo_chat_options *options;

    const judo_tokenizer *tokenizer; /* NULL: everything goes to `text` */
    judo_special_ids specials;
    const int32_t *image_tokens;
    int32_t num_images;
    judo_ids *ids, *image_starts;
} renderer;

static judo_status put_text(renderer *r, const char *text)
{
    return judo_text_append_string(&r->text, text);
}

/* Text from outside. */
static judo_status put_content(renderer *r, const char *text, int32_t message)
{
    const char *found = NULL;
    if (r->tokenizer != NULL && !r->options->specials_as_text &&
        judo_tokenizer_has_special(r->tokenizer, text, strlen(text), &found)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "message %d: the text contains the special token %s, which would be "
                         "taken for the conversation's structure; remove it from the data",
                         message + 1, found);
    }
    return put_text(r, text);
}

static judo_status flush(renderer *r)
{
    judo_status status =
        judo_tokenizer_encode(r->tokenizer, r->text.bytes, r->text.length, false, r->ids);
    judo_text_clear(&r->text);
    return status;
}

static judo_status put_special(renderer *r, const char *content, int32_t id)
{
    if (r->tokenizer == NULL) {
        return put_text(r, content);
    }
    JUDO_TRY(flush(r));
    return judo_ids_append(r->ids, id);
}

static judo_status put_pads(renderer *r)
{
    if (r->tokenizer == NULL) {
        return put_text(r, "<|image_pad|>");
    }
    if (r->images >= r->num_images || r->image_tokens[r->images] <= 0) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "image %d of the conversation: %d images were given%s", r->images + 1,
                         r->num_images,
                         r->images < r->num_images ? ", this one without tokens" : "");
    }
    if (r->ids->count > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "image %d begins beyond token 2^31",
                         r->images + 1);
    }
    JUDO_TRY(judo_ids_append(r->image_starts, (int32_t)r->ids->count));
    return judo_ids_append_run(r->ids, r->specials.image_pad, r->image_tokens[r->images]);
}

static judo_status put_image(renderer *r)
{
    if (r->options->add_vision_id) {
        JUDO_TRY(judo_text_append_format(&r->text, "Picture %d: ", r->images + 1));
    }
    JUDO_TRY(put_special(r, "<|vision_start|>", r->specials.vision_start));
    JUDO_TRY(put_pads(r));
    r->images++;
    return put_special(r, "<|vision_end|>", r->specials.vision_end);
}

static judo_status put_message(renderer *r, const judo_chat_message *message, int32_t index)
{
    JUDO_TRY(put_special(r, "<|im_start|>", r->specials.im_start));
    JUDO_TRY(put_content(r, message->role, index));
    JUDO_TRY(put_text(r, "\n"));
    for (int32_t i = 0; i < message->num_parts; i++) {
        if (message->parts[i].kind == JUDO_CHAT_IMAGE) {
            JUDO_TRY(put_image(r));
        } else {
            JUDO_TRY(put_content(r, message->parts[i].text, index));
        }
    }
    JUDO_TRY(put_special(r, "<|im_end|>", r->specials.im_end));
    return put_text(r, "\n");
}

static judo_status put_conversation(renderer *r, const judo_chat_message *messages,
                                    int32_t num_messages)
{
    static const judo_chat_part words = {.kind = JUDO_CHAT_TEXT,
                                         .text = "You are a helpful assistant."};
    static const judo_chat_message standard = {
        .role = "system", .parts = &words, .num_parts = 1};
    if (num_messages > 0 && strcmp(messages[0].role, "system") != 0) {
        JUDO_TRY(put_message(r, &standard, -1));
    }
    for (int32_t i = 0; i < num_messages; i++) {
        JUDO_TRY(put_message(r, &messages[i], i));
    }
    if (r->options->add_generation_prompt) {
        JUDO_TRY(put_special(r, "<|im_start|>", r->specials.im_start));
        JUDO_TRY(put_text(r, "assistant\n"));
    }
    if (r->options->strip_end && r->text.length > 0) { /* a newline in every case */
        r->text.bytes[--r->text.length] = '\0';
    }
    return JUDO_OK;
}

static judo_status render_ids(renderer *r, const judo_chat_message *messages,
                              int32_t num_messages)
{
    JUDO_TRY(judo_tokenizer_specials(r->tokenizer, &r->specials));
    JUDO_TRY(put_conversation(r, messages, num_messages));
    if (r->images != r->num_images) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "the conversation has %d images, but %d were given", r->images,
                         r->num_images);
    }
    return flush(r);
}

judo_status judo_chat_render(const judo_tokenizer *tokenizer, const judo_chat_message *messages,
                             int32_t num_messages, const int32_t *image_tokens,
                             int32_t num_images, const judo_chat_options *options,
                             judo_ids *out, judo_ids *image_starts)
{
    renderer r = {
        .options = options,
        .tokenizer = tokenizer,
        .image_tokens = image_tokens,
        .num_images = num_images,
        .ids = out,
        .image_starts = image_starts,
    };
    int64_t ids_before = out->count;
    int64_t starts_before = image_starts->count;
    judo_status status = render_ids(&r, messages, num_messages);
    if (status != JUDO_OK) {
        out->count = ids_before;
        image_starts->count = starts_before;
    }
    judo_text_free(&r.text);
    return status;
}

judo_status judo_chat_text(const judo_chat_message *messages, int32_t num_messages,
                           const judo_chat_options *options, judo_text *out)
{
    renderer r = {.options = options};
    judo_status status = put_conversation(&r, messages, num_messages);
    if (status == JUDO_OK) {
        status = judo_text_append(out, r.text.bytes, r.text.length);
    }
    judo_text_free(&r.text);
    return status;
}
