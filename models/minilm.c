/* models/minilm.c: the BERT encoder held to all-MiniLM-L6-v2's width and length. */
#include "models/minilm.h"

#include <stdlib.h>

#include "models/bert.h"

struct judo_minilm {
    judo_bert *bert;
};

static judo_status open_encoder(const char *folder, judo_dtype dtype, const judo_device *device,
                                judo_minilm *self)
{
    JUDO_TRY(judo_bert_open(folder, dtype, device, &self->bert));
    const judo_bert_config *config = judo_bert_config_of(self->bert);
    if (config->hidden_size != JUDO_MINILM_WIDTH ||
        config->max_positions < JUDO_MINILM_MAX_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                         "%s/config.json: an encoder of width %lld for %lld tokens; "
                         "all-MiniLM-L6-v2 has width %d and at least %d",
                         folder, (long long)config->hidden_size,
                         (long long)config->max_positions, JUDO_MINILM_WIDTH,
                         JUDO_MINILM_MAX_TOKENS);
    }
    return JUDO_OK;
}

judo_status judo_minilm_open(const char *folder, judo_dtype dtype, const judo_device *device,
                             judo_minilm **out)
{
    judo_minilm *self = calloc(1, sizeof *self);
    if (!self) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the sentence encoder", folder);
    }
    judo_status status = open_encoder(folder, dtype, device, self);
    if (status != JUDO_OK) {
        judo_minilm_close(&self);
        return status;
    }
    *out = self;
    return JUDO_OK;
}

void judo_minilm_close(judo_minilm **minilm)
{
    judo_minilm *self = *minilm;
    if (self) {
        judo_bert_close(&self->bert);
        free(self);
        *minilm = NULL;
    }
}

judo_status judo_minilm_plan(const char *folder, judo_dtype dtype, int64_t *bytes)
{
    return judo_bert_plan(folder, dtype, bytes);
}

judo_status judo_minilm_embed(judo_minilm *minilm, const int32_t *ids, const int32_t *offsets,
                              int32_t count, float *embeddings)
{
    return judo_bert_embed(minilm->bert, ids, offsets, count, JUDO_MINILM_MAX_TOKENS,
                           embeddings);
}
