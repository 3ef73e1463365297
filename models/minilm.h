/* models/minilm.h: the sentence encoder all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide), inference
 * only. */
#ifndef JUDO_MODELS_MINILM_H
#define JUDO_MODELS_MINILM_H

#include <stdint.h>

#include "runtime/device.h"

enum { JUDO_MINILM_WIDTH = 384, JUDO_MINILM_MAX_TOKENS = 256 };

typedef struct judo_minilm judo_minilm;

/* Reads config.json and model.safetensors of `folder` strictly; weights and activations are of
 * `dtype`, F32 or BF16. */
judo_status judo_minilm_open(const char *folder, judo_dtype dtype, const judo_device *device,
                             judo_minilm **out) JUDO_MUST_CHECK;
void judo_minilm_close(judo_minilm **minilm);
/* Bytes of the device that it will take. */
judo_status judo_minilm_plan(const char *folder, judo_dtype dtype,
                             int64_t *bytes) JUDO_MUST_CHECK;

/* Embeds `count` texts given as WordPiece ids: text i is ids[offsets[i] .. offsets[i+1]), [CLS]
 * and [SEP] included, at most 256. embeddings[count, 384]: mean over tokens, L2-normalised.
 * Text i's result does not depend on the other texts. */
judo_status judo_minilm_embed(judo_minilm *minilm, const int32_t *ids, const int32_t *offsets,
                              int32_t count, float *embeddings) JUDO_MUST_CHECK;

#endif
