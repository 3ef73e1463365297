/* eval/report.c: reads the inputs, writes the page section by section into memory, then the
 * file.
 */
#include "eval/report.h"

#include <stdlib.h>
#include <unistd.h>

#include "eval/html.h"
#include "eval/report_parts.h"
#include "runtime/file.h"

enum { DEFAULT_SAMPLES = 12, MAX_CONFIG_BYTES = 1 << 20 };

judo_status judo_report_configuration(FILE *out, const judo_report_item *run)
{
    char path[4096];
    char *text = NULL;
    size_t length = 0;
    if (snprintf(path, sizeof path, "%s/config.yaml", run->path) >= (int)sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "report: the path of run \"%s\" is too long",
                         run->title);
    }
    if (access(path, F_OK) != 0) {
        return JUDO_OK; /* metrics can stand without the configuration that made them */
    }
    JUDO_TRY(judo_file_read_all(path, MAX_CONFIG_BYTES, &text, &length));
    fputs("<details><summary>", out);
    judo_html_text(out, run->title);
    fputs("</summary><pre>", out);
    judo_html_bytes(out, text, length);
    fputs("</pre></details>\n", out);
    free(text);
    return JUDO_OK;
}

static void write_head(FILE *out, const judo_report_input *input)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
          out);
    judo_html_text(out, input->title);
    fputs("</title>\n", out);
    judo_report_style(out);
    fputs("</head><body><main>\n<header><h1>", out);
    judo_html_text(out, input->title);
    fputs("</h1>", out);
    if (input->subtitle != NULL) {
        fputs("<p>", out);
        judo_html_text(out, input->subtitle);
        fputs("</p>", out);
    }
    fputs("<nav>", out);
    if (input->num_evaluations > 0) {
        fputs("<a href=\"#stages\">Stages</a><a href=\"#mmad\">MMAD</a>", out);
    }
    if (input->num_runs > 0) {
        fputs("<a href=\"#training\">Training</a>", out);
    }
    if (input->num_samples > 0) {
        fputs("<a href=\"#examples\">Examples</a>", out);
    }
    if (input->num_runs > 0) {
        fputs("<a href=\"#configuration\">Configuration</a>", out);
    }
    fputs("</nav></header>\n", out);
}

static void write_evaluations(FILE *out, const judo_report_row *rows, int num_rows)
{
    if (num_rows == 0) {
        return;
    }
    judo_report_cards(out, rows, num_rows);
    fputs("<h2 id=\"stages\">Stage by stage</h2>\n", out);
    judo_report_stages(out, rows, num_rows);
    fputs("<p class=\"note\">Small figures: change from the row above. Bold: best of its "
          "column.</p>\n",
          out);
    for (int r = num_rows - 1; r >= 0; r--) {
        judo_report_datasets(out, &rows[r]);
    }
    fputs("<h2 id=\"mmad\">Beside the published results</h2>\n", out);
    judo_report_mmad(out, rows, num_rows);
}

static judo_status write_page(FILE *out, const judo_report_input *input,
                              const judo_report_row *rows)
{
    write_head(out, input);
    write_evaluations(out, rows, input->num_evaluations);
    if (input->num_runs > 0) {
        fputs("<h2 id=\"training\">Training</h2>\n", out);
    }
    for (int i = 0; i < input->num_runs; i++) {
        JUDO_TRY(judo_report_curves(out, &input->runs[i]));
    }
    if (input->num_samples > 0) {
        fputs("<h2 id=\"examples\">Examples</h2>\n", out);
    }
    int most = input->max_samples > 0 ? input->max_samples : DEFAULT_SAMPLES;
    for (int i = 0; i < input->num_samples; i++) {
        JUDO_TRY(judo_report_examples(out, &input->samples[i], most));
    }
    if (input->num_runs > 0) {
        fputs("<h2 id=\"configuration\">Configuration</h2>\n", out);
    }
    for (int i = 0; i < input->num_runs; i++) {
        JUDO_TRY(judo_report_configuration(out, &input->runs[i]));
    }
    fputs("</main></body></html>\n", out);
    return JUDO_OK;
}

static judo_status read_rows(const judo_report_input *input, judo_report_row *rows)
{
    for (int i = 0; i < input->num_evaluations; i++) {
        const judo_report_item *item = &input->evaluations[i];
        judo_eval_result *result = &rows[i].result;
        JUDO_TRY(judo_eval_result_read(item->path, result));
        rows[i].title = item->title != NULL ? item->title : result->title;
        judo_mmad_table_of(&result->counts, result->num_datasets, result->official,
                           &rows[i].table);
    }
    return JUDO_OK;
}

static judo_status write_file(const judo_report_input *input, const judo_report_row *rows,
                              const char *path)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "report: no memory for the page");
    }
    judo_status status = write_page(out, input, rows);
    if (fclose(out) != 0 && status == JUDO_OK) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "report: no memory for the page");
    }
    if (status == JUDO_OK) {
        status = judo_file_replace(path, text, length);
    }
    free(text);
    return status;
}

judo_status judo_report_write(const judo_report_input *input, const char *path)
{
    judo_report_row *rows = calloc((size_t)input->num_evaluations + 1, sizeof *rows);
    if (rows == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "report: no memory for %d evaluations",
                         input->num_evaluations);
    }
    judo_status status = read_rows(input, rows);
    if (status == JUDO_OK) {
        status = write_file(input, rows, path);
    }
    free(rows);
    return status;
}
