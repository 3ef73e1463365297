/* launch/judo_scaling.c: runs on several numbers of ranks as a table and a page. */
#include "eval/scaling.h"
#include "launch/tool.h"

static const char help[] =
    "judo scaling: how a job scales, from its runs on several numbers of ranks\n\n"
    "usage: judo scaling FOLDER.. [--html FILE]\n\n"
    "Each FOLDER is the run.folder of one job of an experiment, as `launch/scaling/run` makes\n"
    "them: the same program, configuration and seed, on other ranks or machines, with the "
    "same\n"
    "batch (strong scaling) or one that grows with the ranks (weak). Several runs on the same\n"
    "ranks are one point: the medians count. Prints for each point the median step, samples\n"
    "and tokens per second, speed-up and efficiency over the smallest point, and the share of\n"
    "the time in which ranks stood still for communication that was not hidden.\n\n"
    "Data order and results do not depend on the ranks, so runs with the same batch must have\n"
    "the same losses to rounding (stage 3: in the first rollout). If they do not, the table\n"
    "says where, and the exit code is 14.\n\n"
    "  --drop N           first steps of each run that are not measured, default 3: caches\n"
    "                     fill and memory is touched for the first time\n"
    "  --tolerance X      largest relative difference of losses, default 1e-4, in bf16 5e-3\n"
    "  --html FILE        writes the page with charts as well; it needs no other file\n"
    "  --title TEXT       of the page, default \"Scaling\"\n\n"
    "A run whose job was restarted is refused: its steps are of several launches.\n\n"
    "example: judo scaling out/scaling/ranks-*/run-* --html scaling.html\n";

static judo_status run(int argc, char **argv)
{
    const char *folders[JUDO_SCALING_MAX_RUNS];
    const char *html = NULL;
    const char *title = "Scaling";
    int count = 0;
    judo_scaling_options options = {.drop = 3, .tolerance = -1};
    judo_scaling scaling;
    const judo_option table[] = {
        {"drop", JUDO_OPTION_INT, &options.drop},
        {"tolerance", JUDO_OPTION_FLOAT, &options.tolerance},
        {"html", JUDO_OPTION_STRING, &html},
        {"title", JUDO_OPTION_STRING, &title},
    };
    JUDO_TRY(
        judo_options_parse(argc, argv, table, 4, 1, JUDO_SCALING_MAX_RUNS, folders, &count));
    JUDO_TRY(judo_scaling_evaluate(folders, count, &options, &scaling));
    judo_scaling_print(stdout, &scaling);
    judo_status status =
        html != NULL ? judo_scaling_write_page(&scaling, title, html) : JUDO_OK;
    if (status == JUDO_OK && !scaling.agrees) {
        status = JUDO_FAIL(JUDO_ERROR_MISMATCH, "%s", scaling.verdict);
    }
    judo_scaling_free(&scaling);
    return status;
}

const judo_tool judo_tool_scaling = {
    .name = "scaling",
    .summary = "runs on several numbers of ranks as a table and a page",
    .help = help,
    .run = run,
};
