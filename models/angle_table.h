/* models/angle_table.h: rotary angles of the tokens that follow prompts, on the device for the
 * whole of a generation. */
#ifndef JUDO_MODELS_ANGLE_TABLE_H
#define JUDO_MODELS_ANGLE_TABLE_H

#include "models/hf_config.h"
#include "runtime/device.h"

typedef struct judo_angle_table {
    const judo_device *device;
    judo_tensor angles; /* [2 num_positions, head_dim/2] fp32: cosines, then sines */
    int64_t num_positions;
} judo_angle_table;

/* Row `i * length + t` is position first_positions[i] + t, the same on the three axes. */
judo_status judo_angle_table_create(const judo_qwen_text_config *config,
                                    const judo_device *device, const int32_t *first_positions,
                                    int32_t num_first, int32_t length,
                                    judo_angle_table *out) JUDO_MUST_CHECK;
void judo_angle_table_destroy(judo_angle_table *table);
int64_t judo_angle_table_bytes(const judo_qwen_text_config *config, int32_t num_first,
                               int32_t length);

#endif
