/* launch/judo_report.c: runs and evaluations as one HTML page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/report.h"
#include "launch/tool.h"

static const char help[] =
    "judo report: runs and evaluations as one HTML page\n\n"
    "usage: judo report OUTPUT.html [--run TITLE=FOLDER ..] [--eval TITLE=FOLDER ..] "
    "[options]\n\n"
    "The page needs nothing else: no script, no outside file, pictures inside. Give runs and "
    "evaluations in the order of\n"
    "training; both options may be repeated (64 times each). TITLE= may be left out.\n\n"
    "  --run TITLE=FOLDER      run.folder of judo_stage1, 2 or 3: curves from metrics.jsonl, "
    "and config.yaml\n"
    "  --eval TITLE=FOLDER     eval.folder of judo_eval: tables from metrics.json, examples "
    "from samples.jsonl if there.\n"
    "                          Without TITLE= the one that judo_eval wrote (eval.title)\n"
    "  --title TEXT            of the page, default \"JUDO\"\n"
    "  --subtitle TEXT         below it\n"
    "  --examples N            most examples of each evaluation, 0 or not given: 12\n\n"
    "example: judo report report.html --run \"Stage 1=runs/stage1\" --eval Base=eval/base "
    "--eval \"Stage 1=eval/stage1\"\n";

/* "TITLE=FOLDER" taken apart, and a file of the folder. */
typedef struct named_path {
    char title[256], path[1200];
} named_path;

typedef struct report {
    judo_option_list runs, evaluations;
    named_path run_names[JUDO_MAX_OPTION_VALUES], evaluation_names[JUDO_MAX_OPTION_VALUES],
        sample_names[JUDO_MAX_OPTION_VALUES];
    judo_report_item run_items[JUDO_MAX_OPTION_VALUES],
        evaluation_items[JUDO_MAX_OPTION_VALUES], sample_items[JUDO_MAX_OPTION_VALUES];
} report;

static judo_status take_apart(const char *option, const char *value, const char *file,
                              named_path *out)
{
    struct stat facts;
    const char *equals = strchr(value, '=');
    const char *folder = equals ? equals + 1 : value;
    int title = snprintf(out->title, sizeof out->title, "%.*s",
                         equals ? (int)(equals - value) : 0, value);
    int path =
        snprintf(out->path, sizeof out->path, "%s%s%s", folder, file[0] ? "/" : "", file);
    if (title >= (int)sizeof out->title || path >= (int)sizeof out->path) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s: '%.60s..' is too long", option, value);
    }
    if (stat(folder, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
        return JUDO_FAIL(JUDO_ERROR_IO, "--%s: '%s' is not a folder; give TITLE=FOLDER", option,
                         folder);
    }
    return JUDO_OK;
}

static judo_status fill(report *self, judo_report_input *input)
{
    for (int i = 0; i < self->runs.count; i++) {
        named_path *name = &self->run_names[i];
        JUDO_TRY(take_apart("run", self->runs.values[i], "", name));
        self->run_items[i] = (judo_report_item){
            .title = name->title[0] ? name->title : name->path, .path = name->path};
    }
    for (int i = 0; i < self->evaluations.count; i++) {
        named_path *name = &self->evaluation_names[i];
        named_path *samples = &self->sample_names[i];
        JUDO_TRY(take_apart("eval", self->evaluations.values[i], "metrics.json", name));
        JUDO_TRY(take_apart("eval", self->evaluations.values[i], "samples.jsonl", samples));
        self->evaluation_items[i] = (judo_report_item){
            .title = name->title[0] ? name->title : NULL, .path = name->path};
        if (access(samples->path, F_OK) == 0) {
            self->sample_items[input->num_samples++] =
                (judo_report_item){.title = samples->title[0] ? samples->title : samples->path,
                                   .path = samples->path};
        }
    }
    input->runs = self->run_items;
    input->num_runs = self->runs.count;
    input->evaluations = self->evaluation_items;
    input->num_evaluations = self->evaluations.count;
    input->samples = self->sample_items;
    return JUDO_OK;
}

static judo_status write_report(report *self, int argc, char **argv)
{
    const char *output;
    int count;
    int64_t examples = 0;
    judo_report_input input = {.title = "JUDO"};
    const judo_option options[] = {
        {"run", JUDO_OPTION_LIST, &self->runs},
        {"eval", JUDO_OPTION_LIST, &self->evaluations},
        {"title", JUDO_OPTION_STRING, &input.title},
        {"subtitle", JUDO_OPTION_STRING, &input.subtitle},
        {"examples", JUDO_OPTION_INT, &examples},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 5, 1, 1, &output, &count));
    if (self->runs.count + self->evaluations.count == 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "nothing to show; give --run TITLE=FOLDER or --eval TITLE=FOLDER");
    }
    if (examples < 0 || examples > 10000) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--examples %lld must be 0 to 10000",
                         (long long)examples);
    }
    input.max_samples = (int)examples;
    JUDO_TRY(fill(self, &input));
    return judo_report_write(&input, output);
}

static judo_status run(int argc, char **argv)
{
    report *self = calloc(1, sizeof *self);
    judo_status status = self ? write_report(self, argc, argv)
                              : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a report");
    free(self);
    return status;
}

const judo_tool judo_tool_report = {
    .name = "report",
    .summary = "runs and evaluations as one HTML page",
    .help = help,
    .run = run,
};
