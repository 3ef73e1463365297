/* rewards/segmentation_math.h: how well predicted cells match the true ones. */
#ifndef JUDO_REWARDS_SEGMENTATION_MATH_H
#define JUDO_REWARDS_SEGMENTATION_MATH_H

#include "rewards/cells_text_math.h"

static inline JUDO_HD int judo_bits_count(uint64_t bits)
{
#ifdef __CUDA_ARCH__
    return __popcll(bits);
#else
    return __builtin_popcountll(bits);
#endif
}

typedef struct judo_cells_overlap {
    int common, predicted, gold; /* numbers of cells */
} judo_cells_overlap;

static inline JUDO_HD judo_cells_overlap judo_cells_overlap_of(const judo_cells *predicted,
                                                               const judo_cells *gold)
{
    judo_cells_overlap overlap = {0, 0, 0};
    for (int i = 0; i < 4; i++) {
        overlap.common += judo_bits_count(predicted->bits[i] & gold->bits[i]);
        overlap.predicted += judo_bits_count(predicted->bits[i]);
        overlap.gold += judo_bits_count(gold->bits[i]);
    }
    return overlap;
}

/* 2 P R / (P + R) in the reference code's order of operations; 0 when nothing is in common. */
static inline JUDO_HD double judo_cells_f1(judo_cells_overlap overlap)
{
    if (overlap.common == 0) {
        return 0.0;
    }
    double precision = (double)overlap.common / (double)overlap.predicted;
    double recall = (double)overlap.common / (double)overlap.gold;
    return 2.0 * (precision * recall) / (precision + recall);
}

typedef struct judo_segmentation_rule {
    judo_cells_syntax syntax;
    bool missing_is_empty; /* no tag counts as "no anomaly" (reference code) or as malformed */
    double floor;          /* both sets non-empty: floor + (1 - floor) * F1 */
} judo_segmentation_rule;

/* Both empty 1, one empty 0, malformed 0. `predicted` is what was read, empty unless `state` is
 * JUDO_CELLS_READ. */
static inline JUDO_HD double judo_segmentation_value(const judo_segmentation_rule *rule,
                                                     judo_cells_state state,
                                                     const judo_cells *predicted,
                                                     const judo_cells *gold)
{
    if (state == JUDO_CELLS_MALFORMED ||
        (state == JUDO_CELLS_MISSING && !rule->missing_is_empty)) {
        return 0.0;
    }
    judo_cells_overlap overlap = judo_cells_overlap_of(predicted, gold);
    if (overlap.predicted == 0 && overlap.gold == 0) {
        return 1.0;
    }
    if (overlap.predicted == 0 || overlap.gold == 0) {
        return 0.0;
    }
    return rule->floor + (1.0 - rule->floor) * judo_cells_f1(overlap);
}

#endif
