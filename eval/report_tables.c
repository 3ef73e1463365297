/* eval/report_tables.c: cards and tables of accuracies. */
#include <math.h>

#include "eval/html.h"
#include "eval/paper_rows.h"
#include "eval/report_parts.h"

static const double *percents(const judo_report_row *row)
{
    return row->table.percent[row->table.num_datasets];
}

static void write_delta(FILE *out, double now, double before, double scale, int decimals)
{
    double delta = (now - before) * scale;
    if (isnan(delta)) {
        return;
    }
    fprintf(out, "<span class=\"delta %s\">%s%.*f</span>",
            delta > 0   ? "up"
            : delta < 0 ? "down"
                        : "",
            delta < 0 ? "&minus;" : "+", decimals, fabs(delta));
}

static void write_card(FILE *out, const char *title, double now, double before, double scale,
                       const char *unit, int decimals)
{
    if (isnan(now)) {
        return;
    }
    fprintf(out, "<div class=\"card\"><span>%s</span><b>", title);
    judo_html_number(out, now * scale, decimals);
    fprintf(out, "<small>%s</small></b>", unit);
    write_delta(out, now, before, scale, decimals);
    fputs("</div>\n", out);
}

void judo_report_cards(FILE *out, const judo_report_row *rows, int num_rows)
{
    if (num_rows == 0) {
        return;
    }
    const judo_report_row *last = &rows[num_rows - 1];
    const double *now = percents(last);
    judo_segmentation_metrics cells = judo_mmad_segmentation(&last->result.counts);
    judo_segmentation_metrics cells_before = judo_mmad_segmentation(&rows[0].result.counts);
    double before[JUDO_MMAD_NUM_COLUMNS];
    for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
        before[c] = num_rows > 1 ? percents(&rows[0])[c] : NAN;
    }
    fputs("<div class=\"cards\">\n", out);
    write_card(out, "Average accuracy", now[JUDO_MMAD_AVERAGE], before[JUDO_MMAD_AVERAGE], 1,
               "%", 2);
    write_card(out, "Discrimination", now[JUDO_MMAD_DISCRIMINATION],
               before[JUDO_MMAD_DISCRIMINATION], 1, "%", 2);
    write_card(out, "Localization", now[JUDO_MMAD_LOCALIZATION], before[JUDO_MMAD_LOCALIZATION],
               1, "%", 2);
    write_card(out, "Cells, F1", cells.f1, num_rows > 1 ? cells_before.f1 : NAN, 100, "%", 1);
    write_card(out, "Well-formed cells", cells.well_formed,
               num_rows > 1 ? cells_before.well_formed : NAN, 100, "%", 1);
    write_card(out, "Mean reward", last->result.total_reward,
               num_rows > 1 ? rows[0].result.total_reward : NAN, 1, "", 3);
    fputs("</div>\n", out);
    if (num_rows > 1) {
        fputs("<p class=\"note\">", out);
        judo_html_text(out, last->title);
        fputs("; differences to ", out);
        judo_html_text(out, rows[0].title);
        fputs(".</p>\n", out);
    }
}

static void write_accuracy_head(FILE *out, const char *first)
{
    fprintf(out, "<div class=\"scroll\"><table><thead><tr><th>%s</th>", first);
    for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
        fprintf(out, "<th>%s</th>", judo_mmad_column_titles[c]);
    }
}

static double best_of(const judo_report_row *rows, int num_rows, int column)
{
    double best = NAN;
    for (int r = 0; r < num_rows; r++) {
        best = fmax(best, percents(&rows[r])[column]); /* fmax passes over NaN */
    }
    return best;
}

void judo_report_stages(FILE *out, const judo_report_row *rows, int num_rows)
{
    write_accuracy_head(out, "Model");
    fputs("<th>Cells F1</th><th>Well-formed</th><th>Reward</th></tr></thead><tbody>\n", out);
    for (int r = 0; r < num_rows; r++) {
        const double *row = percents(&rows[r]);
        judo_segmentation_metrics cells = judo_mmad_segmentation(&rows[r].result.counts);
        fputs("<tr><th>", out);
        judo_html_text(out, rows[r].title);
        fputs("</th>", out);
        for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
            bool best = num_rows > 1 && row[c] == best_of(rows, num_rows, c);
            fprintf(out, "<td%s>", best ? " class=\"best\"" : "");
            judo_html_number(out, row[c], 2);
            if (r > 0) {
                write_delta(out, row[c], percents(&rows[r - 1])[c], 1, 1);
            }
            fputs("</td>", out);
        }
        fputs("<td>", out);
        judo_html_number(out, cells.f1 * 100, 1);
        fputs("</td><td>", out);
        judo_html_number(out, cells.well_formed * 100, 1);
        fputs("</td><td>", out);
        judo_html_number(out, rows[r].result.total_reward, 3);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void write_mmad_row(FILE *out, const char *title, const double *percent,
                           const char *class)
{
    fprintf(out, "<tr%s><th>", class);
    judo_html_text(out, title);
    fputs("</th>", out);
    for (int c = 0; c < JUDO_MMAD_NUM_SUBTASKS; c++) {
        fputs("<td>", out);
        judo_html_number(out, percent[c], 2);
        fputs("</td>", out);
    }
    double average = percent[JUDO_MMAD_AVERAGE];
    fprintf(out, "<td class=\"bar\" style=\"--v:%.2f%%\">", isnan(average) ? 0 : average);
    judo_html_number(out, average, 2);
    fputs("</td></tr>\n", out);
}

void judo_report_mmad(FILE *out, const judo_report_row *rows, int num_rows)
{
    write_accuracy_head(out, "Model");
    fputs("</tr></thead><tbody>\n", out);
    for (int r = num_rows - 1; r >= 0; r--) {
        write_mmad_row(out, rows[r].title, percents(&rows[r]), " class=\"ours\"");
    }
    for (int r = 0; r < JUDO_PAPER_NUM_ROWS; r++) {
        write_mmad_row(out, judo_paper_rows[r].model, judo_paper_rows[r].percent, "");
    }
    fputs(
        "</tbody></table></div>\n<p class=\"note\">Accuracy in percent. Shaded rows: this "
        "report's evaluations. Others: as published in the JUDO paper, MMAD, one normal image "
        "shown.</p>\n",
        out);
}

void judo_report_datasets(FILE *out, const judo_report_row *row)
{
    fputs("<details><summary>", out);
    judo_html_text(out, row->title);
    fputs(", by data set</summary>\n", out);
    write_accuracy_head(out, "Data set");
    fputs("<th>Questions</th><th>Unreadable</th></tr></thead><tbody>\n", out);
    for (int d = 0; d < row->table.num_datasets; d++) {
        int64_t total = 0;
        int64_t invalid = 0;
        fputs("<tr><th>", out);
        judo_html_text(out, row->result.datasets[d]);
        fputs("</th>", out);
        for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
            fputs("<td>", out);
            judo_html_number(out, row->table.percent[d][c], 2);
            fputs("</td>", out);
        }
        for (int s = 0; s < JUDO_MMAD_NUM_SUBTASKS; s++) {
            for (int side = 0; side < 2; side++) {
                total += row->result.counts.questions[d][s][side].total;
                invalid += row->result.counts.questions[d][s][side].invalid;
            }
        }
        fprintf(out, "<td>%lld</td><td>%lld</td></tr>\n", (long long)total, (long long)invalid);
    }
    fprintf(out,
            "</tbody></table></div>\n<p class=\"note\">Unreadable answers count as %s.</p>"
            "</details>\n",
            row->result.official ? "absent, as in MMAD's own script" : "wrong");
}
