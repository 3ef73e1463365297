/* data/cells.c: masks to cells, cells to text. */
#include "data/cells.h"

#include <math.h>
#include <stdio.h>

#include "data/resize.h"

static int64_t count_marked(const uint8_t *mask, int32_t width, const int32_t rows[2],
                            const int32_t columns[2])
{
    int64_t marked = 0;
    for (int32_t y = rows[0]; y < rows[1]; y++) {
        const uint8_t *row = mask + (size_t)y * (size_t)width;
        for (int32_t x = columns[0]; x < columns[1]; x++) {
            marked += row[x] != 0;
        }
    }
    return marked;
}

static int32_t edge(int32_t index, int32_t size)
{
    return (int32_t)((int64_t)index * size / JUDO_GRID);
}

/* `enough`: cells that reach the coverage; `any`: cells with any marked pixel. */
static void scan(const uint8_t *mask, int32_t width, int32_t height, double coverage,
                 judo_cells *enough, judo_cells *any)
{
    for (int row = 0; row < JUDO_GRID; row++) {
        const int32_t rows[2] = {edge(row, height), edge(row + 1, height)};
        for (int column = 0; column < JUDO_GRID; column++) {
            const int32_t columns[2] = {edge(column, width), edge(column + 1, width)};
            int64_t marked = count_marked(mask, width, rows, columns);
            double area = (double)(rows[1] - rows[0]) * (columns[1] - columns[0]);
            if (marked == 0) {
                continue;
            }
            judo_cells_set(any, row, column);
            if ((double)marked / area >= coverage) {
                judo_cells_set(enough, row, column);
            }
        }
    }
}

judo_status judo_cells_from_mask(const uint8_t *mask, int32_t width, int32_t height,
                                 const judo_cells_rule *rule, judo_cells *out)
{
    if (width <= 0 || height <= 0 || !(rule->coverage >= 0 && rule->coverage <= 1)) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "cells of a %d x %d mask with coverage %g: the size must be positive "
                         "and the coverage within 0..1",
                         width, height, rule->coverage);
    }
    judo_image square = {0};
    if (rule->resize_nearest > 0) {
        const judo_image view = {width, height, 1, (uint8_t *)(uintptr_t)mask};
        JUDO_TRY(judo_image_resize(&view, rule->resize_nearest, rule->resize_nearest,
                                   JUDO_RESIZE_NEAREST, &square));
        mask = square.pixels;
        width = square.width;
        height = square.height;
    }
    judo_cells enough = {0};
    judo_cells any = {0};
    scan(mask, width, height, rule->coverage, &enough, &any);
    judo_image_free(&square);
    *out = rule->any_if_none && judo_cells_count(&enough) == 0 ? any : enough;
    return JUDO_OK;
}

/* Appends as snprintf would: `length` grows by the whole text, whatever fits is written. */
static void append(char *out, size_t bytes, size_t *length, const char *text)
{
    for (const char *c = text; *c != '\0'; c++, (*length)++) {
        if (*length + 1 < bytes) {
            out[*length] = *c;
        }
    }
}

size_t judo_cells_format(const judo_cells *cells, const char *separator, const char *empty,
                         char *out, size_t bytes)
{
    size_t length = 0;
    bool first = true;
    for (int row = 0; row < JUDO_GRID; row++) {
        for (int column = 0; column < JUDO_GRID; column++) {
            if (!judo_cells_has(cells, row, column)) {
                continue;
            }
            int last = column;
            while (last + 1 < JUDO_GRID && judo_cells_has(cells, row, last + 1)) {
                last++;
            }
            char text[32];
            int used = snprintf(text, sizeof text, "(%d,%d)", row + 1, column + 1);
            if (last > column) {
                (void)snprintf(text + used, sizeof text - (size_t)used, "-(%d,%d)", row + 1,
                               last + 1);
            }
            append(out, bytes, &length, first ? "" : separator);
            append(out, bytes, &length, text);
            first = false;
            column = last;
        }
    }
    if (first) {
        append(out, bytes, &length, empty);
    }
    if (bytes > 0) {
        out[length < bytes ? length : bytes - 1] = '\0';
    }
    return length;
}
