/* eval/report_curves.c: a run's metrics as a grid of charts. */
#include <stdlib.h>
#include <string.h>

#include "eval/html.h"
#include "eval/report_chart.h"
#include "eval/report_parts.h"

/* Charts in reading order; a chart without any of its metrics is left out. */
static const struct {
    const char *title;
    const char *metrics[JUDO_CHART_MAX_LINES];
    const char *labels[JUDO_CHART_MAX_LINES];
} charts[] = {
    {"Loss", {"loss"}, {NULL}},
    {"Reward", {"reward"}, {NULL}},
    {"Rewards, unweighted",
     {"rewards/choice/mean", "rewards/format/mean", "rewards/structure/mean",
      "rewards/segmentation/mean", "rewards/domain/mean"},
     {"choice", "format", "structure", "segmentation", "domain"}},
    {"Token accuracy", {"mean_token_accuracy"}, {NULL}},
    {"Spread of rewards in a group", {"reward_std"}, {NULL}},
    {"KL to the reference model", {"kl"}, {NULL}},
    {"Completion length, tokens",
     {"completions/mean_length", "completions/max_length", "completions/min_length"},
     {"mean", "longest", "shortest"}},
    {"Entropy", {"entropy"}, {NULL}},
    {"Gradient norm", {"grad_norm"}, {NULL}},
    {"Learning rate", {"learning_rate"}, {NULL}},
};

enum { NUM_CHARTS = sizeof charts / sizeof *charts };

static bool is_charted(const char *name)
{
    for (int c = 0; c < NUM_CHARTS; c++) {
        for (int i = 0; i < JUDO_CHART_MAX_LINES && charts[c].metrics[i] != NULL; i++) {
            if (strcmp(name, charts[c].metrics[i]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void write_chart(FILE *out, const judo_series_set *set, int c)
{
    judo_chart_line lines[JUDO_CHART_MAX_LINES];
    int num_lines = 0;
    for (int i = 0; i < JUDO_CHART_MAX_LINES && charts[c].metrics[i] != NULL; i++) {
        const judo_series *series = judo_series_find(set, charts[c].metrics[i]);
        if (series != NULL) {
            lines[num_lines++] = (judo_chart_line){series, charts[c].labels[i]};
        }
    }
    if (num_lines > 0) {
        judo_chart_write(out, charts[c].title, lines, num_lines);
    }
}

/* What no chart above shows. */
static void write_rest(FILE *out, const judo_series_set *set)
{
    bool open = false;
    for (int i = 0; i < set->count; i++) {
        const judo_series *series = &set->items[i];
        if (is_charted(series->name)) {
            continue;
        }
        if (!open) {
            fputs("<details><summary>All other metrics</summary><div class=\"charts\">\n", out);
            open = true;
        }
        judo_chart_line line = {series, NULL};
        judo_chart_write(out, series->name, &line, 1);
    }
    if (open) {
        fputs("</div></details>\n", out);
    }
}

judo_status judo_report_curves(FILE *out, const judo_report_item *run)
{
    char path[4096];
    judo_series_set set;
    if (snprintf(path, sizeof path, "%s/metrics.jsonl", run->path) >= (int)sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "report: the path of run \"%s\" is too long",
                         run->title);
    }
    JUDO_TRY(judo_series_read(path, &set));
    fputs("<h3>", out);
    judo_html_text(out, run->title);
    fputs("</h3><div class=\"charts\">\n", out);
    for (int c = 0; c < NUM_CHARTS; c++) {
        write_chart(out, &set, c);
    }
    fputs("</div>\n", out);
    write_rest(out, &set);
    judo_series_free(&set);
    return JUDO_OK;
}
