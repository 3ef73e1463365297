/* tests/models/batch_builder.h: packed batches from sequences of tokens and images. */
#ifndef JUDO_TESTS_MODELS_BATCH_BUILDER_H
#define JUDO_TESTS_MODELS_BATCH_BUILDER_H

#include <stdint.h>

#include "models/hf_config.h"
#include "runtime/batch.h"

typedef struct sequence {
    const int32_t *tokens, *targets; /* targets: -100 where none */
    int32_t num_tokens;
    const judo_image_grid *grids; /* t, h, w */
    const int32_t *starts;
    int32_t num_images;
    const uint8_t *pixels; /* of the images, one behind the other */
} sequence;

typedef struct built_batch {
    judo_batch batch;
    int32_t *tokens, *positions, *visual_rows, *target_rows, *target_tokens, *target_sequences;
    float *target_weights;
    uint8_t *pixels;
    judo_attention_span *spans;
    judo_image_grid *images;
} built_batch;

/* The sequences one after another, each seeing only itself. */
built_batch batch_pack(const judo_qwen_config *config, const sequence *sequences, int count);

/* A group: one prompt, then completions that see it and themselves. The prompt's last token
 * predicts each completion's first. */
built_batch batch_group(const judo_qwen_config *config, const sequence *prompt,
                        const sequence *completions, int count);
/* The same, but each completion with a prompt of its own; targets in the group's order. */
built_batch batch_tiled(const judo_qwen_config *config, const sequence *prompt,
                        const sequence *completions, int count);
void batch_free(built_batch *b);

#endif
