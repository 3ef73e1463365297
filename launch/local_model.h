/* launch/local_model.h: a model directory whose weights this process holds whole, for forward
 * passes only. */
#ifndef JUDO_LAUNCH_LOCAL_MODEL_H
#define JUDO_LAUNCH_LOCAL_MODEL_H

#include "models/qwen25vl.h"
#include "runtime/params.h"

typedef struct judo_local_model {
    judo_model *model;
    judo_local_params *params;
} judo_local_model;

/* Plans a forward pass on `device` (borrowed) of at most `max_tokens` and `max_patches` in
 * `dtype` (F32 or BF16) and reads all weights of `folder`. After a failure `out` can still be
 * closed. Not collective. */
judo_status judo_local_model_open(const char *folder, const judo_device *device,
                                  int64_t max_tokens, int64_t max_patches, judo_dtype dtype,
                                  judo_local_model *out) JUDO_MUST_CHECK;
/* Its two halves: the plan, without any of the device's memory, and taking that and reading the
 * weights. */
judo_status judo_local_model_prepare(const char *folder, const judo_device *device,
                                     int64_t max_tokens, int64_t max_patches, judo_dtype dtype,
                                     judo_local_model *out) JUDO_MUST_CHECK;
judo_status judo_local_model_load(const char *folder, judo_dtype dtype,
                                  judo_local_model *model) JUDO_MUST_CHECK;
void judo_local_model_close(judo_local_model *model);

#endif
