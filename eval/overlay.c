/* eval/overlay.c: see overlay.h. */
#include "eval/overlay.h"

#include <string.h>

typedef struct colour {
    uint8_t rgb[3];
} colour;

static const colour red = {{230, 40, 40}};
static const colour green = {{30, 220, 90}};

enum { TINT_PERCENT = 32, CELL_BORDER = 2, MASK_BORDER = 2 };

/* Mixes `percent` of the colour into a pixel. */
static void blend(uint8_t *pixel, colour mixed, int percent)
{
    for (int c = 0; c < 3; c++) {
        pixel[c] = (uint8_t)((pixel[c] * (100 - percent) + mixed.rgb[c] * percent + 50) / 100);
    }
}

/* The cell that a pixel lies in; edges are floor(i * size / 16). */
static int cell_of(int32_t at, int32_t size)
{
    int cell = (int)((int64_t)at * JUDO_GRID / size);
    while (cell + 1 < JUDO_GRID && (int64_t)(cell + 1) * size / JUDO_GRID <= at) {
        cell++;
    }
    return cell;
}

static bool in_cells(const judo_image *image, const judo_cells *cells, int32_t x, int32_t y)
{
    return x >= 0 && y >= 0 && x < image->width && y < image->height &&
           judo_cells_has(cells, cell_of(y, image->height), cell_of(x, image->width));
}

/* Inside the predicted region, but within `border` of its outside. */
static bool on_cell_border(const judo_image *image, const judo_cells *cells, int32_t x,
                           int32_t y, int32_t border)
{
    return !in_cells(image, cells, x - border, y) || !in_cells(image, cells, x + border, y) ||
           !in_cells(image, cells, x, y - border) || !in_cells(image, cells, x, y + border);
}

static bool in_mask(const judo_image *image, const judo_image *mask, int32_t x, int32_t y)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height) {
        return false;
    }
    int64_t mask_x = (int64_t)x * mask->width / image->width;
    int64_t mask_y = (int64_t)y * mask->height / image->height;
    return mask->pixels[mask_y * mask->width + mask_x] != 0;
}

/* Outside the mask, but within `border` of it: the outline hides nothing of the defect. */
static bool on_mask_border(const judo_image *image, const judo_image *mask, int32_t x,
                           int32_t y, int32_t border)
{
    if (in_mask(image, mask, x, y)) {
        return false;
    }
    for (int32_t dy = -border; dy <= border; dy++) {
        for (int32_t dx = -border; dx <= border; dx++) {
            if (in_mask(image, mask, x + dx, y + dy)) {
                return true;
            }
        }
    }
    return false;
}

judo_status judo_overlay_draw(const judo_image *image, const judo_image *mask,
                              const judo_cells *predicted, judo_image *out)
{
    if (image->channels != 3 || (mask != NULL && mask->channels != 1)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "overlay: the image has %d channels and the mask %d; they must have 3 "
                         "and 1",
                         (int)image->channels, mask != NULL ? (int)mask->channels : 1);
    }
    judo_image drawn;
    JUDO_TRY(judo_image_create(image->width, image->height, 3, &drawn));
    memcpy(drawn.pixels, image->pixels, (size_t)image->width * (size_t)image->height * 3);
    int32_t larger = image->width > image->height ? image->width : image->height;
    int32_t scale = larger > 768 ? larger / 384 : 1; /* lines stay visible in large pictures */
    for (int32_t y = 0; y < image->height; y++) {
        for (int32_t x = 0; x < image->width; x++) {
            uint8_t *pixel = drawn.pixels + ((int64_t)y * image->width + x) * 3;
            if (in_cells(image, predicted, x, y)) {
                bool border = on_cell_border(image, predicted, x, y, CELL_BORDER * scale);
                blend(pixel, red, border ? 100 : TINT_PERCENT);
            }
            if (mask != NULL && on_mask_border(image, mask, x, y, MASK_BORDER * scale)) {
                blend(pixel, green, 100);
            }
        }
    }
    *out = drawn;
    return JUDO_OK;
}
