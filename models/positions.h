/* models/positions.h: where tokens and patches stand: M-RoPE positions of text and images, the
 * order of patches in windows, and the attention spans of the vision tower. */
#ifndef JUDO_MODELS_POSITIONS_H
#define JUDO_MODELS_POSITIONS_H

#include <stdint.h>

#include "models/hf_config.h"
#include "runtime/batch.h"

/* Positions of one sequence of `num_tokens` tokens. Image i's merged tokens stand at
 * [starts[i], starts[i] + t*h*w/merge^2), `starts` ascending. positions[3, num_tokens] with
 * row stride `stride` gets (temporal, height, width). `delta` (may be NULL): the position of
 * the token that follows is its index + delta, on all axes. JUDO_ERROR_ARGUMENT if an image
 * leaves the sequence or overlaps the one before; JUDO_ERROR_UNSUPPORTED for t != 1. */
judo_status judo_mrope_positions(int32_t num_tokens, const judo_image_grid *images,
                                 const int32_t *starts, int num_images, int64_t merge_size,
                                 int32_t *positions, int32_t stride,
                                 int32_t *delta) JUDO_MUST_CHECK;

/* What the vision tower needs to know of a batch's images; the caller owns the arrays. */
typedef struct judo_vision_order {
    int32_t *window_index;   /* [num_visual]: window order -> natural order, merged tokens */
    int32_t *rows, *columns; /* [num_patches]: rotary positions, in window order */
    judo_attention_span *windows, *frames; /* [num_visual], [num_images] at most */
    int32_t num_windows, num_frames;
} judo_vision_order;

/* Fills `order`'s arrays. The grids must have been checked (judo_batch_check). */
void judo_vision_order_fill(const judo_qwen_vision_config *config,
                            const judo_image_grid *images, int num_images,
                            judo_vision_order *order);

#endif
