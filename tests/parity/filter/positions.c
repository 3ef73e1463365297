/* tests/parity/filter/positions.c: positions of tokens, and the order and positions of patches.
 */
#include <stdio.h>
#include <stdlib.h>

#include "data/mrope_positions.h"
#include "models/positions.h"
#include "tests/parity/filter/filters.h"

enum { MAX_IMAGES = 64, MAX_TOKENS = 1 << 20 };

static void put_ints(judo_json_writer *answer, const char *name, const int32_t *values,
                     int32_t count)
{
    judo_json_begin_array(answer, name);
    for (int32_t i = 0; i < count; i++) {
        judo_json_put_int(answer, NULL, values[i]);
    }
    judo_json_end_array(answer);
}

static void put_ends(judo_json_writer *answer, const char *name,
                     const judo_attention_span *spans, int32_t count)
{
    judo_json_begin_array(answer, name);
    for (int32_t i = 0; i < count; i++) {
        judo_json_put_int(answer, NULL, spans[i].end);
    }
    judo_json_end_array(answer);
}

/* One list of the list `name`: `count` integers. */
static judo_status read_list(const judo_json *list, const char *source, int32_t *out, int count)
{
    if (!judo_json_is_array(list) || judo_json_size(list) != count) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: an image must be a list of %d integers",
                         source, count);
    }
    for (const judo_json *item = judo_json_first(list); item; item = judo_json_next(item)) {
        int64_t value;
        JUDO_TRY(judo_json_as_int(item, source, &value));
        if (value < 0 || value > MAX_TOKENS) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %lld is outside 0..%d", source,
                             (long long)value, MAX_TOKENS);
        }
        *out++ = (int32_t)value;
    }
    return JUDO_OK;
}

static judo_status read_images(const judo_json *request, const char *source, int width,
                               int32_t *out, int32_t *count)
{
    const judo_json *images = judo_json_get(request, "images");
    *count = 0;
    for (const judo_json *item = judo_json_first(images); item; item = judo_json_next(item)) {
        if (*count == MAX_IMAGES) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than %d images", source, MAX_IMAGES);
        }
        JUDO_TRY(read_list(item, source, out + (ptrdiff_t)*count * width, width));
        ++*count;
    }
    return JUDO_OK;
}

static judo_status answer_tokens(void *context, const judo_json *request, const char *source,
                                 judo_json_writer *answer)
{
    (void)context;
    int32_t lists[MAX_IMAGES * 3], count, next;
    judo_mrope_image images[MAX_IMAGES];
    int64_t num_tokens;
    JUDO_TRY(judo_json_get_int(request, "num_tokens", source, &num_tokens));
    JUDO_TRY(read_images(request, source, 3, lists, &count));
    if (num_tokens < 1 || num_tokens > MAX_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: num_tokens is outside 1..%d", source,
                         MAX_TOKENS);
    }
    for (int32_t i = 0; i < count; i++) {
        images[i] = (judo_mrope_image){lists[3 * i], lists[3 * i + 1], lists[3 * i + 2]};
    }
    int32_t n = (int32_t)num_tokens;
    int32_t *positions = calloc((size_t)n * 3, sizeof *positions);
    if (positions == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d positions", n);
    }
    judo_status status = judo_mrope_positions(n, images, count, 0, positions, positions + n,
                                              positions + (ptrdiff_t)2 * n, &next);
    if (status == JUDO_OK) {
        judo_json_begin_object(answer, NULL);
        put_ints(answer, "positions", positions, 3 * n);
        judo_json_put_int(answer, "next", next);
        judo_json_end_object(answer);
    }
    free(positions);
    return status;
}

static judo_status fill_order(const judo_qwen_vision_config *config, const int32_t *lists,
                              int32_t count, judo_vision_order *order, int32_t *num_patches)
{
    judo_image_grid grids[MAX_IMAGES];
    int64_t patches = 0;
    for (int32_t i = 0; i < count; i++) {
        grids[i] = (judo_image_grid){.t = 1, .h = lists[2 * i], .w = lists[2 * i + 1]};
        patches += (int64_t)grids[i].h * grids[i].w;
    }
    if (patches < 1 || patches > MAX_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%lld patches are outside 1..%d",
                         (long long)patches, MAX_TOKENS);
    }
    size_t room = (size_t)patches;
    order->window_index = calloc(room, sizeof *order->window_index);
    order->rows = calloc(room, sizeof *order->rows);
    order->columns = calloc(room, sizeof *order->columns);
    order->windows = calloc(room, sizeof *order->windows);
    order->frames = calloc(MAX_IMAGES, sizeof *order->frames);
    if (!order->window_index || !order->rows || !order->columns || !order->windows ||
        !order->frames) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu patches", room);
    }
    judo_vision_order_fill(config, grids, count, order);
    *num_patches = (int32_t)patches;
    return JUDO_OK;
}

static judo_status answer_patches(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    int32_t lists[MAX_IMAGES * 2], count, patches;
    judo_qwen_vision_config config = {.patch_size = 14, .spatial_merge_size = 2};
    judo_vision_order order = {0};
    JUDO_TRY(judo_json_get_int_or(request, "window", source, 112, &config.window_size));
    JUDO_TRY(read_images(request, source, 2, lists, &count));
    judo_status status = fill_order(&config, lists, count, &order, &patches);
    if (status == JUDO_OK) {
        judo_json_begin_object(answer, NULL);
        put_ints(answer, "window_index", order.window_index, patches / 4);
        put_ints(answer, "rows", order.rows, patches);
        put_ints(answer, "columns", order.columns, patches);
        put_ends(answer, "window_ends", order.windows, order.num_windows);
        put_ends(answer, "frame_ends", order.frames, order.num_frames);
        judo_json_end_object(answer);
    }
    free(order.window_index);
    free(order.rows);
    free(order.columns);
    free(order.windows);
    free(order.frames);
    return status;
}

static judo_status run_tokens(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_tokens);
}

static judo_status run_patches(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_patches);
}

const judo_tool judo_parity_token_positions = {
    .name = "token-positions",
    .summary = "the three positions of each token",
    .help = "judo_parity token-positions: M-RoPE\n\n"
            "  {\"num_tokens\": N, \"images\": [[start, rows, columns], ..]} (merged)\n"
            "  -> {\"positions\": [t .., h .., w ..], \"next\"}\n",
    .run = run_tokens,
};

const judo_tool judo_parity_patch_positions = {
    .name = "patch-positions",
    .summary = "window order, spans and positions of patches",
    .help = "judo_parity patch-positions: the vision tower's order\n\n"
            "  {\"images\": [[rows, columns], ..], \"window\": pixels} (patches)\n"
            "  -> {\"window_index\", \"rows\", \"columns\", \"window_ends\", \"frame_ends\"}\n",
    .run = run_patches,
};
