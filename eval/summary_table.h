/* eval/summary_table.h: evaluations side by side, for a terminal. */
#ifndef JUDO_EVAL_SUMMARY_TABLE_H
#define JUDO_EVAL_SUMMARY_TABLE_H

#include <stdio.h>

#include "eval/eval_result.h"

/* Prints one row per evaluation: segmentation F1, domain loss, mean reward, choice accuracy
 * (share of questions answered right) and MMAD's average. What was not measured is a dash. */
void judo_summary_table_print(FILE *out, const judo_eval_result *const *results, int count);

#endif
