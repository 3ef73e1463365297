/* models/hf_config.h: the sizes of a Qwen2.5-VL model, read from a Hugging Face config.json. */
#ifndef JUDO_MODELS_HF_CONFIG_H
#define JUDO_MODELS_HF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_QWEN_MAX_LAYERS = 512 };

typedef struct judo_qwen_text_config {
    int64_t vocab_size, hidden_size, intermediate_size;
    int64_t num_layers, num_heads, num_kv_heads, head_dim;
    int64_t max_position_embeddings;
    double rms_norm_eps, rope_theta;
    int64_t mrope_section[3]; /* frequencies that turn with time, height, width */
    bool tie_word_embeddings;
} judo_qwen_text_config;

typedef struct judo_qwen_vision_config {
    int64_t depth, hidden_size, intermediate_size, num_heads, head_dim;
    int64_t in_channels, patch_size, temporal_patch_size;
    int64_t spatial_merge_size, window_size, out_hidden_size;
    double rms_norm_eps, rope_theta;
    bool full_attention[JUDO_QWEN_MAX_LAYERS]; /* per block: whole frames, else windows */
} judo_qwen_vision_config;

typedef struct judo_qwen_config {
    judo_qwen_text_config text;
    judo_qwen_vision_config vision;
    int64_t image_token_id, video_token_id, vision_start_token_id, vision_end_token_id;
} judo_qwen_config;

/* Reads `directory`/config.json; text fields may stand at the top level or under text_config.
 * A missing field, a value out of range or a feature that judo does not compute is an error
 * that names file and key. */
judo_status judo_qwen_config_load(const char *directory, judo_qwen_config *out) JUDO_MUST_CHECK;

/* The same from the text of such a file; `source` names it in errors. */
judo_status judo_qwen_config_parse(const char *text, size_t length, const char *source,
                                   judo_qwen_config *out) JUDO_MUST_CHECK;

/* Checks ranges and that the sizes fit each other; `source` names the file in errors. */
judo_status judo_qwen_config_check(const judo_qwen_config *config,
                                   const char *source) JUDO_MUST_CHECK;

/* Elements of one patch as the vision tower reads it, and bytes of its pixels. */
int64_t judo_qwen_patch_values(const judo_qwen_config *config);
int64_t judo_qwen_patch_bytes(const judo_qwen_config *config);
/* Patches that become one visual token. */
int64_t judo_qwen_merge_unit(const judo_qwen_config *config);

#endif
