/* models/rotary_tables.h: cosines and sines of the rotary angles, fp32. */
#ifndef JUDO_MODELS_ROTARY_TABLES_H
#define JUDO_MODELS_ROTARY_TABLES_H

#include <stdint.h>

#include "models/hf_config.h"

/* cos, sin [num_tokens, head_dim/2] from positions[3, num_tokens]: frequency j turns with the
 * axis whose section holds j. */
void judo_rotary_text(const judo_qwen_text_config *config, const int32_t *positions,
                      int32_t num_tokens, float *cos, float *sin);
/* cos, sin [num_patches, head_dim/2]: the first half turns with the row, the second with the
 * column. */
void judo_rotary_vision(const judo_qwen_vision_config *config, const int32_t *rows,
                        const int32_t *columns, int32_t num_patches, float *cos, float *sin);

#endif
