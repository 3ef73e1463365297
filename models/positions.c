/* models/positions.c: the window order of patches, and where their pixels are. */
#include "models/positions.h"

/* Appends one merged token: its number and the rotary positions of its patches. */
static void add_cell(judo_vision_order *order, int32_t visual, int32_t natural, int32_t row,
                     int32_t column, int32_t merge)
{
    order->window_index[visual] = natural;
    int32_t unit = merge * merge;
    for (int32_t patch = 0; patch < unit; patch++) {
        order->rows[visual * unit + patch] = row * merge + patch / merge;
        order->columns[visual * unit + patch] = column * merge + patch % merge;
    }
}

static int32_t at_most(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* One frame's windows in row-major order, and the tokens of a window in row-major order. */
static int32_t fill_frame(judo_vision_order *order, int32_t visual, const int32_t size[2],
                          int32_t side, int32_t merge)
{
    int32_t first = visual;
    for (int32_t top = 0; top < size[0]; top += side) {
        for (int32_t left = 0; left < size[1]; left += side) {
            int32_t begin = visual;
            for (int32_t y = top; y < at_most(top + side, size[0]); y++) {
                for (int32_t x = left; x < at_most(left + side, size[1]); x++) {
                    add_cell(order, visual++, first + y * size[1] + x, y, x, merge);
                }
            }
            order->windows[order->num_windows++] = (judo_attention_span){
                .begin = begin * merge * merge, .end = visual * merge * merge};
        }
    }
    order->frames[order->num_frames++] =
        (judo_attention_span){.begin = first * merge * merge, .end = visual * merge * merge};
    return visual;
}

void judo_vision_order_fill(const judo_qwen_vision_config *config,
                            const judo_image_grid *images, int num_images,
                            judo_vision_order *order)
{
    int32_t merge = (int32_t)config->spatial_merge_size;
    int32_t side = (int32_t)(config->window_size / config->patch_size) / merge;
    int32_t visual = 0;
    order->num_windows = 0;
    order->num_frames = 0;
    for (int i = 0; i < num_images; i++) {
        int32_t size[2] = {images[i].h / merge, images[i].w / merge};
        visual = fill_frame(order, visual, size, side, merge);
    }
}

void judo_vision_squares_fill(const judo_qwen_vision_config *config,
                              const judo_image_grid *images, int num_images,
                              const judo_vision_order *order, judo_patch_square *squares)
{
    const int64_t pixel = config->in_channels;
    const int64_t side = config->patch_size;
    const int32_t unit = (int32_t)(config->spatial_merge_size * config->spatial_merge_size);
    for (int i = 0; i < num_images; i++) {
        const judo_image_grid *grid = &images[i];
        int64_t first = grid->first_patch * side * side * pixel;
        int64_t row = grid->w * side * pixel;
        int32_t end = grid->first_visual + grid->h * grid->w / unit;
        for (int32_t v = grid->first_visual; v < end; v++) {
            /* A merged token's first patch is its upper left one. */
            int64_t top = order->rows[v * unit] * side;
            int64_t left = order->columns[v * unit] * side;
            squares[v] = (judo_patch_square){.first_byte = first + top * row + left * pixel,
                                             .row_bytes = row};
        }
    }
}
