/* launch/judo.c: the tool beside the jobs: data, models and single pieces by hand. */
#include <stdio.h>
#include <string.h>

#include "launch/tool.h"
#include "runtime/log.h"

static const judo_tool *const tools[] = {
    &judo_tool_synth,    &judo_tool_init,   &judo_tool_pack,     &judo_tool_inspect,
    &judo_tool_tokenize, &judo_tool_score,  &judo_tool_generate, &judo_tool_embed,
    &judo_tool_cells,    &judo_tool_reward, &judo_tool_report,
};

enum { NUM_TOOLS = sizeof tools / sizeof tools[0] };

static void print_overview(FILE *out)
{
    (void)fprintf(out, "judo: training for industrial anomaly question answering\n\nusage: "
                       "judo COMMAND [ARGUMENTS]\n\n");
    for (int i = 0; i < NUM_TOOLS; i++) {
        (void)fprintf(out, "  %-9s %s\n", tools[i]->name, tools[i]->summary);
    }
    (void)fprintf(out, "\n`judo COMMAND --help` explains each. Training: judo_stage1, "
                       "judo_stage2, judo_stage3; evaluation: judo_eval.\n");
}

static int run_tool(const judo_tool *tool, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(tool->help, stdout);
            return 0;
        }
    }
    judo_status status = tool->run(argc, argv);
    if (status != JUDO_OK) {
        judo_log(JUDO_LOG_ERROR, "judo %s: %s", tool->name, judo_error_message());
    }
    return (int)status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return JUDO_ERROR_ARGUMENT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("judo %s\n", JUDO_VERSION);
        return 0;
    }
    for (int i = 0; i < NUM_TOOLS; i++) {
        if (strcmp(argv[1], tools[i]->name) == 0) {
            return run_tool(tools[i], argc - 1, argv + 1);
        }
    }
    judo_log(JUDO_LOG_ERROR, "no command '%s'; see judo --help", argv[1]);
    return JUDO_ERROR_ARGUMENT;
}
