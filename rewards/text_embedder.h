/* rewards/text_embedder.h: texts to MiniLM embeddings: WordPiece and encoder joined. */
#ifndef JUDO_REWARDS_TEXT_EMBEDDER_H
#define JUDO_REWARDS_TEXT_EMBEDDER_H

#include "models/minilm.h"
#include "rewards/score.h"
#include "runtime/device.h"

typedef struct judo_text_embedder judo_text_embedder;

/* Opens vocab.txt, config.json and model.safetensors of `folder`; the encoder computes
 * in `dtype`, F32 or BF16. */
judo_status judo_text_embedder_open(const char *folder, judo_dtype dtype,
                                    const judo_device *device,
                                    judo_text_embedder **out) JUDO_MUST_CHECK;
void judo_text_embedder_close(judo_text_embedder **embedder);
/* Bytes of the device that the encoder of that folder will take, in two blocks. */
judo_status judo_text_embedder_plan(const char *folder, judo_dtype dtype,
                                    int64_t *bytes) JUDO_MUST_CHECK;

/* embeddings[count, 384], L2-normalised, of UTF-8 texts (cut to 256 word pieces). */
judo_status judo_text_embedder_embed(judo_text_embedder *embedder, const char *const *texts,
                                     const size_t *lengths, int32_t count,
                                     float *embeddings) JUDO_MUST_CHECK;

/* As the callback that scoring takes; borrows the embedder. */
judo_embedder judo_text_embedder_base(judo_text_embedder *embedder);

#endif
