/* models/positions.h: where patches stand: their order in windows and the attention spans of
 * the vision tower. */
#ifndef JUDO_MODELS_POSITIONS_H
#define JUDO_MODELS_POSITIONS_H

#include <stdint.h>

#include "models/hf_config.h"
#include "runtime/batch.h"

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

/* Where the pixels of each merged token stand, in window order: squares[num_visual]. `order` is
 * filled. */
void judo_vision_squares_fill(const judo_qwen_vision_config *config,
                              const judo_image_grid *images, int num_images,
                              const judo_vision_order *order, judo_patch_square *squares);

#endif
