/* data/cells.h: the 16 x 16 grid of cells that judo's segmentation speaks in. */
#ifndef JUDO_DATA_CELLS_H
#define JUDO_DATA_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_GRID = 16 };

/* A set of cells: bit (row * 16 + column), rows and columns from 0. In text they count from 1.
 */
typedef struct judo_cells {
    uint64_t bits[4];
} judo_cells;

static inline void judo_cells_set(judo_cells *cells, int row, int column)
{
    int bit = row * JUDO_GRID + column;
    cells->bits[bit >> 6] |= UINT64_C(1) << (bit & 63);
}

static inline bool judo_cells_has(const judo_cells *cells, int row, int column)
{
    int bit = row * JUDO_GRID + column;
    return (cells->bits[bit >> 6] >> (bit & 63) & 1u) != 0;
}

static inline int judo_cells_count(const judo_cells *cells)
{
    return __builtin_popcountll(cells->bits[0]) + __builtin_popcountll(cells->bits[1]) +
           __builtin_popcountll(cells->bits[2]) + __builtin_popcountll(cells->bits[3]);
}

/* How a mask becomes cells. Bin edges are floor(i * size / 16) (the reference's truncated
 * linspace). */
typedef struct judo_cells_rule {
    double coverage;  /* a cell counts when this share of it is non-zero; 0: any pixel */
    bool any_if_none; /* when no cell passes, take all cells with any pixel (reference code,
                         stage 1) */
    int32_t resize_nearest; /* > 0: the mask is first resized to this square, nearest (reference
                               code, stage 3) */
} judo_cells_rule;

/* mask: grey pixels [height, width], non-zero = anomalous. */
judo_status judo_cells_from_mask(const uint8_t *mask, int32_t width, int32_t height,
                                 const judo_cells_rule *rule, judo_cells *out) JUDO_MUST_CHECK;

/* Text such as "(3,7)-(3,8), (5,8)": row-major, runs merged, ranges joined by `separator` (", "
 * in the paper, " , " in the reference code); `empty` ("None" or "") for no cell. Returns the
 * length as snprintf does. */
size_t judo_cells_format(const judo_cells *cells, const char *separator, const char *empty,
                         char *out, size_t bytes);

#endif
