/* runtime/batch.h: a packed batch. No padding anywhere: one run of tokens with explicit (t,h,w)
 * positions and a list of attention spans; training, scoring and prefill share it. */
#ifndef JUDO_RUNTIME_BATCH_H
#define JUDO_RUNTIME_BATCH_H

#include <stdint.h>

#include "runtime/ops/attention.h"
#include "runtime/ops/patchify.h"

/* One image of the batch: `t` is 1 for stills; `h` and `w` count patches (multiples of the
 * merge size). */
typedef struct judo_image_grid {
    int32_t t, h, w;
    int32_t first_patch; /* patches of the images before it; their pixels come before its own */
    int32_t first_visual; /* row among the merged visual tokens */
} judo_image_grid;

/* All arrays are owned by whoever built the batch and are read-only for the model. An empty
 * batch (num_tokens = 0) is valid: the model runs its whole schedule on zero rows. */
typedef struct judo_batch {
    int32_t num_tokens;
    const int32_t *tokens;    /* [num_tokens] */
    const int32_t *positions; /* [3, num_tokens]: temporal, height, width */

    int32_t num_spans;
    const judo_attention_span *spans; /* cover all tokens once, in order */

    int32_t num_images;
    const judo_image_grid *images;
    int32_t num_patches;
    const uint8_t *pixels;      /* per image [h*side, w*side, 3], one image behind the other */
    judo_patch_form patch_form; /* how the model cuts and scales them; the processor's */
    int32_t num_visual;         /* merged visual tokens */
    const int32_t
        *visual_rows; /* [num_visual]: token index whose embedding the visual row replaces */

    /* Where a loss or a log-probability is wanted: hidden state of token `target_rows[i]`
     * predicts `target_tokens[i]`. */
    int32_t num_targets;
    const int32_t *target_rows;   /* [num_targets], ascending within a sequence; completions of
                                     a group share the prompt's last row */
    const int32_t *target_tokens; /* [num_targets] */
    const float *target_weights;  /* [num_targets]: factor of each token's loss, before the
                                     step's denominator */
    const int32_t
        *target_sequences; /* [num_targets]: which completion or sample a target belongs to */
    int32_t num_sequences;
} judo_batch;

#endif
