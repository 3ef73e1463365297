/* models/rotary_tables.c: angles are position times an fp32 frequency, as in the reference. */
#include "models/rotary_tables.h"

#include <math.h>

/* base^(-exponent): the frequency must stay fp32, whatever the activations are. */
static float frequency(double base, double exponent)
{
    return (float)(1.0 / pow(base, exponent));
}

/* Writes one column of the tables: pairs `column` of all rows turn with `positions`. */
static void fill_column(float *cos, float *sin, int64_t width, int64_t column, float frequency,
                        const int32_t *positions, int32_t rows)
{
    for (int32_t row = 0; row < rows; row++) {
        float angle = (float)positions[row] * frequency;
        cos[row * width + column] = cosf(angle);
        sin[row * width + column] = sinf(angle);
    }
}

void judo_rotary_text(const judo_qwen_text_config *config, const int32_t *positions,
                      int32_t num_tokens, float *cos, float *sin)
{
    int64_t width = config->head_dim / 2;
    int64_t column = 0;
    for (int axis = 0; axis < 3; axis++) {
        for (int64_t i = 0; i < config->mrope_section[axis]; i++, column++) {
            double exponent = 2.0 * (double)column / (double)config->head_dim;
            fill_column(cos, sin, width, column, frequency(config->rope_theta, exponent),
                        positions + (int64_t)axis * num_tokens, num_tokens);
        }
    }
}

void judo_rotary_vision(const judo_qwen_vision_config *config, const int32_t *rows,
                        const int32_t *columns, int32_t num_patches, float *cos, float *sin)
{
    int64_t width = config->head_dim / 2;
    for (int64_t i = 0; i < width / 2; i++) {
        float turn = frequency(config->rope_theta, 2.0 * (double)i / (double)width);
        fill_column(cos, sin, width, i, turn, rows, num_patches);
        fill_column(cos, sin, width, width / 2 + i, turn, columns, num_patches);
    }
}
