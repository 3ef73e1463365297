/* models/merger.h: from groups of patches to visual tokens: norm per patch, concatenation,
 * linear, exact GELU, linear. */
#ifndef JUDO_MODELS_MERGER_H
#define JUDO_MODELS_MERGER_H

#include "models/block.h"
#include "models/layout.h"

typedef struct judo_merger_saved {
    judo_tensor normed, rstd; /* [num_patches, hidden], [num_patches] */
    judo_tensor wide, active; /* [num_visual, hidden * merge unit]: before and after GELU */
} judo_merger_saved;

judo_merger_saved judo_merger_saved_take(judo_activation_arena *arena,
                                         const judo_qwen_config *config, int64_t num_visual,
                                         judo_dtype dtype);
/* x[num_patches, hidden] -> y[num_visual, out_hidden]; with y NULL only `saved` is filled. */
judo_status judo_merger_forward(const judo_compute *compute, const judo_qwen_config *config,
                                const judo_unit_view *view, judo_merger_saved *saved,
                                judo_tensor *y, const judo_tensor *x) JUDO_MUST_CHECK;
/* dx[num_patches, hidden] +=; adds to the unit's gradients; uses up `saved`.
 * `scratch` has the shape of saved->wide. */
judo_status judo_merger_backward(const judo_compute *compute, const judo_unit_view *view,
                                 judo_merger_saved *saved, judo_tensor *scratch,
                                 judo_tensor *dx, const judo_tensor *dy,
                                 const judo_tensor *x) JUDO_MUST_CHECK;

#endif
