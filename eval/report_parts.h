/* eval/report_parts.h: the sections of the report, one function each. Private to eval. */
#ifndef JUDO_EVAL_REPORT_PARTS_H
#define JUDO_EVAL_REPORT_PARTS_H

#include <stdio.h>

#include "eval/eval_result.h"
#include "eval/report.h"

/* An evaluation with its table computed. */
typedef struct judo_report_row {
    const char *title;
    judo_eval_result result;
    judo_mmad_table table;
} judo_report_row;

void judo_report_style(FILE *out);
void judo_report_cards(FILE *out, const judo_report_row *rows, int num_rows);
void judo_report_stages(FILE *out, const judo_report_row *rows, int num_rows);
void judo_report_mmad(FILE *out, const judo_report_row *rows, int num_rows);
void judo_report_datasets(FILE *out, const judo_report_row *row);
judo_status judo_report_curves(FILE *out, const judo_report_item *run) JUDO_MUST_CHECK;
judo_status judo_report_examples(FILE *out, const judo_report_item *samples,
                                 int most) JUDO_MUST_CHECK;
judo_status judo_report_configuration(FILE *out, const judo_report_item *run) JUDO_MUST_CHECK;

#endif
