/* models/weight_names.h: one name per weight, whichever layout a file uses. */
#ifndef JUDO_MODELS_WEIGHT_NAMES_H
#define JUDO_MODELS_WEIGHT_NAMES_H

#include <stddef.h>

#include "runtime/status.h"

/* The hub name ("visual.*", "model.layers.*", "lm_head.weight") of a tensor that may carry the
 * library's in-memory name ("model.visual.*", "model.language_model.*"). JUDO_ERROR_FORMAT when
 * the name does not fit in `size` bytes. */
judo_status judo_weight_name_to_hub(const char *name, char *out, size_t size) JUDO_MUST_CHECK;

#endif
