/* launch/new_model.h: the configuration files of a small Qwen2.5-VL made from nothing. */
#ifndef JUDO_LAUNCH_NEW_MODEL_H
#define JUDO_LAUNCH_NEW_MODEL_H

#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_new_model {
    int64_t hidden, layers, heads, kv_heads, ffn;
    int64_t vision_hidden, vision_depth, vision_heads, vision_ffn;
    int64_t vocab;        /* rows of the embedding: tokenizer size rounded up to 16 */
    int64_t special_base; /* id of the first of Qwen's special tokens */
} judo_new_model;

/* Checks, before anything is written, that a model can have these sizes. */
judo_status judo_new_model_check(const judo_new_model *model) JUDO_MUST_CHECK;

/* Writes config.json, preprocessor_config.json and generation_config.json into `folder`. */
judo_status judo_new_model_write_configs(const char *folder,
                                         const judo_new_model *model) JUDO_MUST_CHECK;

#endif
