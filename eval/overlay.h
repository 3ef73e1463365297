/* eval/overlay.h: a picture with the true mask outlined and the predicted cells tinted. */
#ifndef JUDO_EVAL_OVERLAY_H
#define JUDO_EVAL_OVERLAY_H

#include "data/cells.h"
#include "data/image_file.h"

/* image: RGB. mask: grey, any size (compared by position), non-zero = anomalous; NULL: none.
 * Its outline is green, `predicted` is tinted red with a red border. A new picture of the
 * image's size in *out; free it. */
judo_status judo_overlay_draw(const judo_image *image, const judo_image *mask,
                              const judo_cells *predicted, judo_image *out) JUDO_MUST_CHECK;

#endif
