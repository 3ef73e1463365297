/* eval/report.h: one self-contained HTML page about a model's way through the stages. */
#ifndef JUDO_EVAL_REPORT_H
#define JUDO_EVAL_REPORT_H

#include "runtime/status.h"

/* A named file or folder. */
typedef struct judo_report_item {
    const char *title; /* evaluations: NULL takes the title in the file */
    const char *path;
} judo_report_item;

typedef struct judo_report_input {
    const char *title;
    const char *subtitle;                /* NULL: none */
    const judo_report_item *evaluations; /* metrics.json files, in the order of training */
    int num_evaluations;
    const judo_report_item *runs; /* run folders: metrics.jsonl, and config.yaml if there */
    int num_runs;
    const judo_report_item
        *samples; /* .jsonl files of judo_eval_sample lines; pictures beside */
    int num_samples;
    int max_samples; /* shown per file; 0: 12 */
} judo_report_input;

/* Writes the page: no script, no outside file, pictures inside. Errors of any input file pass
 * on; the page appears complete or not at all. */
judo_status judo_report_write(const judo_report_input *input, const char *path) JUDO_MUST_CHECK;

#endif
