/* models/prompt_slice.h: runs of whole prompts of a packed batch as batches of their own, so
 * that prompts are prefilled in pieces that fit the model's plan. */
#ifndef JUDO_MODELS_PROMPT_SLICE_H
#define JUDO_MODELS_PROMPT_SLICE_H

#include <stdint.h>

#include "models/qwen25vl.h"

/* What a piece may have. */
typedef struct judo_prompt_limits {
    int64_t tokens, patches, prompts;
} judo_prompt_limits;

/* The prompts [first_prompt, end_prompt) of a batch; the arrays hold what had to be moved. */
typedef struct judo_prompt_slice {
    judo_batch batch;
    int32_t first_prompt, end_prompt, first_token;
    int32_t *positions, *visual_rows;
    judo_attention_span *spans;
    judo_image_grid *images;
    int32_t first_image, first_visual, first_patch; /* of the next slice */
} judo_prompt_slice;

/* Begins before the first prompt. The arrays have room for any slice of `prompts`. */
judo_status judo_prompt_slice_create(const judo_batch *prompts,
                                     judo_prompt_slice *out) JUDO_MUST_CHECK;
void judo_prompt_slice_destroy(judo_prompt_slice *slice);

/* Moves on to the next prompts, as many as fit, at least one. False after the last. `prompts`
 * is well-formed (judo_batch_check) and the same in every call. */
bool judo_prompt_slice_next(judo_prompt_slice *slice, const judo_qwen_config *config,
                            const judo_batch *prompts, const judo_prompt_limits *limits);

#endif
