/* eval/scaling_page.c: the points as a page with charts. */
#include <math.h>
#include <stdlib.h>

#include "eval/html.h"
#include "eval/report_chart.h"
#include "eval/report_parts.h"
#include "eval/scaling.h"
#include "runtime/file.h"

/* What a chart shows of a point. */
typedef double (*figure)(const judo_scaling *scaling, const judo_scaling_point *point);

static double tokens(const judo_scaling *scaling, const judo_scaling_point *point)
{
    (void)scaling;
    return point->tokens_per_second;
}

static double ideal_tokens(const judo_scaling *scaling, const judo_scaling_point *point)
{
    const judo_scaling_point *base = &scaling->points[0];
    return base->tokens_per_second * (double)point->ranks / (double)base->ranks;
}

static double efficiency(const judo_scaling *scaling, const judo_scaling_point *point)
{
    (void)scaling;
    return 100 * point->efficiency;
}

static double seconds(const judo_scaling *scaling, const judo_scaling_point *point)
{
    (void)scaling;
    return point->step_seconds;
}

static double unhidden(const judo_scaling *scaling, const judo_scaling_point *point)
{
    (void)scaling;
    return 100 * point->unhidden;
}

static const struct {
    const char *title;
    figure lines[2];
    const char *labels[2];
} charts[] = {
    {"Tokens per second over ranks", {tokens, ideal_tokens}, {"measured", "ideal"}},
    {"Parallel efficiency, %", {efficiency}, {NULL}},
    {"Seconds of a step", {seconds}, {NULL}},
    {"Waiting for communication, % of the time", {unhidden}, {NULL}},
};

enum { NUM_CHARTS = sizeof charts / sizeof charts[0] };

/* The points that have the figure; gives their number. */
static int64_t take_line(const judo_scaling *scaling, figure value, double *ranks, double *line)
{
    int64_t count = 0;
    for (int i = 0; i < scaling->num_points; i++) {
        double figure_of_point = value(scaling, &scaling->points[i]);
        if (isfinite(figure_of_point)) {
            ranks[count] = (double)scaling->points[i].ranks;
            line[count++] = figure_of_point;
        }
    }
    return count;
}

/* `values`: room for two lines of all points, and for their places. */
static void write_chart(FILE *out, const judo_scaling *scaling, int c, double *values)
{
    judo_series series[2];
    judo_chart_line lines[2];
    int num_lines = 0;
    for (int l = 0; l < 2 && charts[c].lines[l] != NULL; l++) {
        double *ranks = values + (ptrdiff_t)2 * l * scaling->num_points;
        double *line = ranks + scaling->num_points;
        int64_t count = take_line(scaling, charts[c].lines[l], ranks, line);
        series[l] = (judo_series){.steps = ranks, .values = line, .length = count};
        lines[l] = (judo_chart_line){.series = &series[l], .label = charts[c].labels[l]};
        num_lines += count > 0;
    }
    if (num_lines > 0) {
        judo_chart_write(out, charts[c].title, lines, num_lines);
    }
}

static void write_head(FILE *out, const judo_scaling *scaling, const char *title)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          out);
    judo_html_text(out, title);
    fputs("</title>\n", out);
    judo_report_style(out);
    fputs("</head><body><main>\n<header><h1>", out);
    judo_html_text(out, title);
    fputs("</h1><p>", out);
    judo_html_text(out, scaling->stage);
    fputs(" on ", out);
    judo_html_text(out, scaling->device);
    fprintf(out, ", %s scaling, steps %lld to %lld of each run</p></header>\n",
            scaling->is_weak ? "weak" : "strong", (long long)scaling->drop,
            (long long)scaling->num_steps - 1);
}

static void write_cell(FILE *out, double value, int decimals)
{
    fputs("<td>", out);
    judo_html_number(out, value, decimals);
    fputs("</td>", out);
}

static void write_row(FILE *out, const judo_scaling_point *p)
{
    fprintf(out, "<tr><th>%lld</th><td>%lld</td><td>%lld</td><td>%lld</td><td>%d</td><td>",
            (long long)p->ranks, (long long)p->nodes, (long long)p->threads,
            (long long)p->batch, p->num_runs);
    judo_html_short(out, p->step_seconds);
    if (p->num_runs > 1) {
        fputs("<span class=\"delta\">", out);
        judo_html_short(out, p->fastest);
        fputs(" to ", out);
        judo_html_short(out, p->slowest);
        fputs("</span>", out);
    }
    fputs("</td><td>", out);
    judo_html_short(out, p->samples_per_second);
    fputs("</td><td>", out);
    judo_html_short(out, p->tokens_per_second);
    fputs("</td><td>", out);
    judo_html_short(out, p->tokens_per_second / (double)p->ranks);
    fputs("</td>", out);
    write_cell(out, p->speed_up, 2);
    write_cell(out, 100 * p->efficiency, 1);
    write_cell(out, 100 * p->unhidden, 1);
    fprintf(out, "<td>%s</td></tr>\n",
            !p->agrees             ? "<b>differ</b>"
            : isnan(p->difference) ? "&ndash;"
                                   : "agree");
}

static void write_page(FILE *out, const judo_scaling *scaling, const char *title,
                       double *values)
{
    write_head(out, scaling, title);
    fputs("<h2>Picture</h2>\n<div class=\"charts\">\n", out);
    for (int c = 0; c < NUM_CHARTS; c++) {
        write_chart(out, scaling, c, values);
    }
    fputs("</div>\n<h2>Figures</h2>\n<div class=\"scroll\"><table><thead><tr><th>Ranks</th>"
          "<th>Nodes</th><th>Threads of a rank</th><th>Batch</th><th>Runs</th>"
          "<th>Seconds of a step</th><th>Samples/s</th><th>Tokens/s</th>"
          "<th>Tokens/s of a rank</th><th>Speed-up</th><th>Efficiency, %</th>"
          "<th>Waiting, %</th><th>Losses</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < scaling->num_points; i++) {
        write_row(out, &scaling->points[i]);
    }
    fputs("</tbody></table></div>\n<p class=\"note\">", out);
    judo_html_text(out, scaling->verdict);
    fputs("</p>\n<p class=\"note\">", out);
    judo_html_text(out, scaling->notes);
    fprintf(out,
            "</p>\n<p class=\"note\">Medians of steps, and of runs. Efficiency: tokens/s of a "
            "rank over that of the first row. Waiting: share of the time in which a rank stood "
            "still for communication.%s</p>\n</main></body></html>\n",
            scaling->for_grpo ? " Tokens: those drawn; samples: prompts." : "");
}

static judo_status page_text(const judo_scaling *scaling, const char *title, double *values,
                             char **text, size_t *length)
{
    FILE *out = open_memstream(text, length);
    if (out == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "scaling: no memory for the page");
    }
    write_page(out, scaling, title, values);
    return fclose(out) == 0 ? JUDO_OK
                            : JUDO_FAIL(JUDO_ERROR_MEMORY, "scaling: no memory for the page");
}

judo_status judo_scaling_write_page(const judo_scaling *scaling, const char *title,
                                    const char *path)
{
    char *text = NULL;
    size_t length = 0;
    double *values = calloc(4 * (size_t)scaling->num_points, sizeof *values);
    judo_status status = values
                             ? page_text(scaling, title, values, &text, &length)
                             : JUDO_FAIL(JUDO_ERROR_MEMORY, "scaling: no memory for the page");
    if (status == JUDO_OK) {
        status = judo_file_replace(path, text, length);
    }
    free(values);
    free(text);
    return status;
}
