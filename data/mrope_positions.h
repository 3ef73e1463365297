/* data/mrope_positions.h: the (temporal, height, width) positions of Qwen2.5-VL's tokens. */
#ifndef JUDO_DATA_MROPE_POSITIONS_H
#define JUDO_DATA_MROPE_POSITIONS_H

#include <stdint.h>

#include "runtime/status.h"

/* A still image among the tokens: its rows * columns merged tokens begin at `start`. */
typedef struct judo_mrope_image {
    int32_t start, rows, columns;
} judo_mrope_image;

/* Positions of a sequence that begins at position `first`: a text token takes one step on all
 * three axes; an image stands still in time, counts rows and columns from where it begins, and
 * is followed by its larger side. Writes num_tokens values each to t, h and w, and the position
 * after the sequence to `next`. Images must be in order, apart and within the tokens (else
 * JUDO_ERROR_ARGUMENT). */
judo_status judo_mrope_positions(int32_t num_tokens, const judo_mrope_image *images,
                                 int32_t num_images, int32_t first, int32_t *t, int32_t *h,
                                 int32_t *w, int32_t *next) JUDO_MUST_CHECK;

#endif
