/* tests/bench/peers/program/inputs.c: what both sides are given, read from JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/peers/program/commands.h"

judo_status judo_peer_processor_load(const char *folder, judo_image_processor *out)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", folder);
    return judo_image_processor_load(path, 0, out);
}

/* Makes room for one more item of `bytes` bytes, zeroed. */
static judo_status grow(void **items, int32_t count, size_t bytes)
{
    void *grown = realloc(*items, ((size_t)count + 1) * bytes);
    if (!grown) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d inputs", count + 1);
    }
    memset((char *)grown + (size_t)count * bytes, 0, bytes);
    *items = grown;
    return JUDO_OK;
}

typedef struct sequence_reader {
    judo_peer_sequences *out;
    const judo_image_processor *processor;
    const char *path;
} sequence_reader;

static judo_status read_tokens(const judo_json *row, const char *place, judo_ids *ids)
{
    for (const judo_json *item = judo_json_first(judo_json_get(row, "tokens")); item;
         item = judo_json_next(item)) {
        int64_t id;
        JUDO_TRY(judo_json_as_int(item, place, &id));
        JUDO_TRY(judo_ids_append(ids, (int32_t)id));
    }
    return JUDO_OK;
}

static judo_status read_picture(const judo_image_processor *processor, const char *path,
                                judo_image *out)
{
    judo_image image = {0};
    JUDO_TRY(judo_image_read(path, 3, &image));
    judo_status status = judo_image_processor_resize(processor, &image, out);
    judo_image_free(&image);
    return status;
}

static judo_status read_pictures(const sequence_reader *self, const judo_json *row,
                                 const char *place, judo_sample_sequence *out)
{
    const judo_json *start = judo_json_first(judo_json_get(row, "image_starts"));
    for (const judo_json *item = judo_json_first(judo_json_get(row, "images")); item;
         item = judo_json_next(item), start = judo_json_next(start)) {
        const char *path;
        int64_t at;
        if (out->view.num_images == JUDO_SAMPLE_IMAGES || !start) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: at most %d images, each with its start",
                             place, JUDO_SAMPLE_IMAGES);
        }
        JUDO_TRY(judo_json_as_string(item, place, &path));
        JUDO_TRY(judo_json_as_int(start, place, &at));
        out->image_starts[out->view.num_images] = (int32_t)at;
        JUDO_TRY(read_picture(self->processor, path, &out->images[out->view.num_images]));
        out->view.num_images++;
    }
    return JUDO_OK;
}

static judo_status add_sequence(void *context, const judo_json *row, int64_t line)
{
    sequence_reader *self = context;
    judo_peer_sequences *all = self->out;
    char place[1200];
    int64_t first_target;
    (void)snprintf(place, sizeof place, "%s:%lld", self->path, (long long)line);
    JUDO_TRY(grow((void **)&all->items, all->count, sizeof *all->items));
    judo_sample_sequence *item = &all->items[all->count++];
    JUDO_TRY(read_tokens(row, place, &item->ids));
    JUDO_TRY(judo_json_get_int_or(row, "first_target", place, item->ids.count, &first_target));
    item->view.first_target = (int32_t)first_target;
    return read_pictures(self, row, place, item);
}

judo_status judo_peer_sequences_read(const char *path, const judo_image_processor *processor,
                                     judo_peer_sequences *out)
{
    sequence_reader reader = {.out = out, .processor = processor, .path = path};
    *out = (judo_peer_sequences){0};
    judo_status status = judo_json_each_line(path, add_sequence, &reader);
    for (int32_t i = 0; i < out->count; i++) { /* once they no longer move */
        judo_sample_sequence *item = &out->items[i];
        item->view.tokens = item->ids.ids;
        item->view.num_tokens = (int32_t)item->ids.count;
        item->view.images = item->images;
        item->view.image_starts = item->image_starts;
        item->view.weight = 1.0f;
    }
    if (status != JUDO_OK) {
        judo_peer_sequences_free(out);
    }
    return status;
}

void judo_peer_sequences_free(judo_peer_sequences *sequences)
{
    for (int32_t i = 0; i < sequences->count; i++) {
        judo_sample_sequence_free(&sequences->items[i]);
    }
    free(sequences->items);
    *sequences = (judo_peer_sequences){0};
}

static judo_status add_text(void *context, const judo_json *row, int64_t line)
{
    judo_peer_texts *all = context;
    char place[64];
    const char *text;
    (void)snprintf(place, sizeof place, "texts:%lld", (long long)line);
    JUDO_TRY(judo_json_get_string(row, "text", place, &text));
    JUDO_TRY(grow((void **)&all->lengths, all->count, sizeof *all->lengths));
    all->lengths[all->count++] = strlen(text);
    return judo_text_append_string(&all->all, text);
}

judo_status judo_peer_texts_read(const char *path, judo_peer_texts *out)
{
    *out = (judo_peer_texts){0};
    judo_status status = judo_json_each_line(path, add_text, out);
    if (status == JUDO_OK) {
        out->texts = calloc((size_t)out->count + 1, sizeof *out->texts);
        status = out->texts ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for texts");
    }
    if (status != JUDO_OK) {
        judo_peer_texts_free(out);
        return status;
    }
    const char *at = out->all.bytes;
    for (int32_t i = 0; i < out->count; i++) {
        out->texts[i] = at;
        at += out->lengths[i];
    }
    return JUDO_OK;
}

void judo_peer_texts_free(judo_peer_texts *texts)
{
    judo_text_free(&texts->all);
    free(texts->texts);
    free(texts->lengths);
    *texts = (judo_peer_texts){0};
}
