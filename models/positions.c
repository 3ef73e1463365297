/* models/positions.c: M-RoPE positions and the window order of patches. */
#include "models/positions.h"

static judo_status check_image(const judo_image_grid *image, int32_t start, int32_t next,
                               int32_t num_tokens, int64_t merge, int index)
{
    if (image->t != 1) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "image %d has %d frames; judo positions still images only", index,
                         image->t);
    }
    if (image->h <= 0 || image->w <= 0 || image->h % merge || image->w % merge) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "image %d: grid %d x %d must be positive multiples of %d", index,
                         image->h, image->w, (int)merge);
    }
    int64_t count = (image->h / merge) * (image->w / merge);
    if (start < next || start + count > num_tokens) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "image %d: its %lld tokens at %d overlap another image or leave the "
                         "sequence of %d tokens",
                         index, (long long)count, start, num_tokens);
    }
    return JUDO_OK;
}

static void put(int32_t *positions, int32_t stride, int32_t token, int32_t t, int32_t h,
                int32_t w)
{
    positions[token] = t;
    positions[stride + token] = h;
    positions[2 * (int64_t)stride + token] = w;
}

judo_status judo_mrope_positions(int32_t num_tokens, const judo_image_grid *images,
                                 const int32_t *starts, int num_images, int64_t merge_size,
                                 int32_t *positions, int32_t stride, int32_t *delta)
{
    int32_t token = 0;
    int32_t current = 0;
    for (int i = 0; i < num_images; i++) {
        JUDO_TRY(check_image(&images[i], starts[i], token, num_tokens, merge_size, i));
        for (; token < starts[i]; token++, current++) {
            put(positions, stride, token, current, current, current);
        }
        int32_t height = images[i].h / (int32_t)merge_size;
        int32_t width = images[i].w / (int32_t)merge_size;
        for (int32_t cell = 0; cell < height * width; cell++, token++) {
            put(positions, stride, token, current, current + cell / width,
                current + cell % width);
        }
        current += height > width ? height : width;
    }
    for (; token < num_tokens; token++, current++) {
        put(positions, stride, token, current, current, current);
    }
    if (delta) {
        *delta = current - num_tokens;
    }
    return JUDO_OK;
}

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
