/* runtime/ops/patchify_cpu.c: pictures as patches; a pixel's value is looked up. */
#include <string.h>

#include "runtime/ops/cpu.h"
#include "runtime/ops/patchify_math.h"
#include "runtime/ops/vector_math.h"

/* What each pixel becomes, as it is stored. */
typedef union pixel_table {
    float f32[JUDO_PATCH_CHANNELS][JUDO_PIXEL_LEVELS];
    uint16_t bf16[JUDO_PATCH_CHANNELS][JUDO_PIXEL_LEVELS];
} pixel_table;

static void fill_table(pixel_table *table, const judo_patch_form *form, judo_dtype dtype)
{
    for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
        for (int pixel = 0; pixel < JUDO_PIXEL_LEVELS; pixel++) {
            float value = judo_pixel_value(pixel, form->mean[c], form->deviation[c]);
            if (dtype == JUDO_BF16) {
                table->bf16[c][pixel] = judo_f32_to_bf16(value);
            } else {
                table->f32[c][pixel] = value;
            }
        }
    }
}

/* One frame of a channel; `from` is its upper left pixel's byte. */
JUDO_INLINE void write_frame(void *to, const uint8_t *from, int64_t row_bytes, int32_t side,
                             const pixel_table *table, int channel, judo_dtype dtype)
{
    for (int32_t y = 0; y < side; y++) {
        const uint8_t *row = from + y * row_bytes;
        for (int32_t x = 0; x < side; x++) {
            if (dtype == JUDO_BF16) {
                ((uint16_t *)to)[y * side + x] = table->bf16[channel][row[3 * x]];
            } else {
                ((float *)to)[y * side + x] = table->f32[channel][row[3 * x]];
            }
        }
    }
}

/* The patches of one square, from `to` on. */
JUDO_INLINE void write_square(char *to, const uint8_t *pixels, const judo_patch_square *square,
                              const judo_patch_form *form, const pixel_table *table,
                              judo_dtype dtype)
{
    enum { USUAL_SIDE = 14 };

    const int64_t side = form->side;
    const size_t frame = (size_t)(side * side * judo_dtype_bytes(dtype));
    for (int32_t i = 0; i < form->merge * form->merge; i++) {
        const uint8_t *corner = pixels + square->first_byte +
                                i / form->merge * side * square->row_bytes +
                                i % form->merge * side * JUDO_PATCH_CHANNELS;
        for (int c = 0; c < JUDO_PATCH_CHANNELS; c++) {
            const char *first = to;
            if (side == USUAL_SIDE) { /* a number that the compiler knows: a fifth faster */
                write_frame(to, corner + c, square->row_bytes, USUAL_SIDE, table, c, dtype);
            } else {
                write_frame(to, corner + c, square->row_bytes, form->side, table, c, dtype);
            }
            to += frame;
            for (int32_t t = 1; t < form->frames; t++) {
                memcpy(to, first, frame);
                to += frame;
            }
        }
    }
}

judo_status judo_cpu_patchify(judo_tensor *y, const judo_tensor *pixels,
                              const judo_patch_square *squares, int64_t count,
                              const judo_patch_form *form)
{
    JUDO_TRY(judo_patchify_check(y, pixels, squares, count, form));
    pixel_table table;
    fill_table(&table, form, y->dtype);
    int64_t elements = judo_tensor_count(y);
    int64_t bytes = count > 0 ? elements / count * judo_dtype_bytes(y->dtype) : 0;
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(elements))
    for (int64_t i = 0; i < count; i++) {
        JUDO_FOR_DTYPE(y->dtype, write_square, (char *)y->data + i * bytes, pixels->data,
                       &squares[i], form, &table);
    }
    return JUDO_OK;
}
