/* models/batch_check.h: is a packed batch one that a model can run? */
#ifndef JUDO_MODELS_BATCH_CHECK_H
#define JUDO_MODELS_BATCH_CHECK_H

#include "models/hf_config.h"
#include "runtime/batch.h"

/* JUDO_ERROR_ARGUMENT naming the first thing that is wrong: counts, ids and rows out of range,
 * spans that do not cover the tokens, images that do not add up to patches and visual rows.
 * JUDO_ERROR_MISMATCH: pixels that are to be cut into other patches than the model's. */
judo_status judo_batch_check(const judo_qwen_config *config,
                             const judo_batch *batch) JUDO_MUST_CHECK;

#endif
