/* eval/report_chart.h: small line charts as inline SVG. */
#ifndef JUDO_EVAL_REPORT_CHART_H
#define JUDO_EVAL_REPORT_CHART_H

#include <stdio.h>

#include "eval/series.h"

typedef struct judo_chart_line {
    const judo_series *series;
    const char *label; /* NULL: the only line */
} judo_chart_line;

enum { JUDO_CHART_MAX_LINES = 6 };

/* One <figure>: title, last values, lines (faint as measured and bold smoothed when there are
 * many points). Non-finite values leave gaps. */
void judo_chart_write(FILE *out, const char *title, const judo_chart_line *lines,
                      int num_lines);

#endif
