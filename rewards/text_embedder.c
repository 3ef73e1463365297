/* rewards/text_embedder.c: WordPiece and MiniLM joined. */
#include "rewards/text_embedder.h"

#include <stdlib.h>

#include "data/buffers.h"
#include "data/wordpiece.h"

struct judo_text_embedder {
    judo_wordpiece *wordpiece;
    judo_minilm *minilm;
    judo_ids ids;
    int32_t *offsets; /* [capacity + 1] */
    int32_t capacity;
};

judo_status judo_text_embedder_open(const char *folder, judo_dtype dtype,
                                    const judo_device *device, judo_text_embedder **out)
{
    judo_text_embedder *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the sentence encoder");
    }
    judo_status status = judo_wordpiece_open(folder, &self->wordpiece);
    if (status == JUDO_OK) {
        status = judo_minilm_open(folder, dtype, device, &self->minilm);
    }
    if (status != JUDO_OK) {
        judo_text_embedder_close(&self);
        return status;
    }
    *out = self;
    return JUDO_OK;
}

void judo_text_embedder_close(judo_text_embedder **embedder)
{
    judo_text_embedder *self = *embedder;
    if (self) {
        judo_wordpiece_close(&self->wordpiece);
        judo_minilm_close(&self->minilm);
        judo_ids_free(&self->ids);
        free(self->offsets);
        free(self);
        *embedder = NULL;
    }
}

judo_status judo_text_embedder_plan(const char *folder, judo_dtype dtype, int64_t *bytes)
{
    return judo_minilm_plan(folder, dtype, bytes);
}

judo_status judo_text_embedder_embed(judo_text_embedder *self, const char *const *texts,
                                     const size_t *lengths, int32_t count, float *embeddings)
{
    if (count > self->capacity) {
        int32_t *grown = realloc(self->offsets, ((size_t)count + 1) * sizeof *grown);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to embed %d texts", count);
        }
        self->offsets = grown;
        self->capacity = count;
    }
    judo_ids_clear(&self->ids);
    for (int32_t i = 0; i < count; i++) {
        self->offsets[i] = (int32_t)self->ids.count;
        JUDO_TRY(judo_wordpiece_encode(self->wordpiece, texts[i], lengths[i],
                                       JUDO_MINILM_MAX_TOKENS, &self->ids));
    }
    if (count == 0) {
        return JUDO_OK;
    }
    self->offsets[count] = (int32_t)self->ids.count;
    return judo_minilm_embed(self->minilm, self->ids.ids, self->offsets, count, embeddings);
}

static judo_status embed_spans(void *context, const judo_span *texts, int64_t count,
                               float *rows)
{
    judo_text_embedder *self = context;
    const char **starts = calloc((size_t)count + 1, sizeof *starts);
    size_t *lengths = calloc((size_t)count + 1, sizeof *lengths);
    judo_status status =
        starts && lengths ? JUDO_OK : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to embed texts");
    for (int64_t i = 0; i < count && status == JUDO_OK; i++) {
        starts[i] = texts[i].text;
        lengths[i] = texts[i].length;
    }
    if (status == JUDO_OK) {
        status = judo_text_embedder_embed(self, starts, lengths, (int32_t)count, rows);
    }
    free(starts);
    free(lengths);
    return status;
}

judo_embedder judo_text_embedder_base(judo_text_embedder *embedder)
{
    return (judo_embedder){.embed = embed_spans, .context = embedder};
}
