/* eval/paper_rows.h: the published MMAD results that a report prints beside its own. */
#ifndef JUDO_EVAL_PAPER_ROWS_H
#define JUDO_EVAL_PAPER_ROWS_H

#include "eval/mmad_score.h"

typedef struct judo_paper_row {
    const char *model;
    double percent[JUDO_MMAD_NUM_COLUMNS];
} judo_paper_row;

enum { JUDO_PAPER_NUM_ROWS = 16 };

/* JUDO's paper (ICLR 2026), MMAD, one-shot, accuracy in percent; in the paper's order. */
extern const judo_paper_row judo_paper_rows[JUDO_PAPER_NUM_ROWS];

#endif
