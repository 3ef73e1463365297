/* launch/toolbox.c: a program of several commands. */
#include <stdio.h>
#include <string.h>

#include "launch/tool.h"
#include "runtime/log.h"

static void print_overview(const judo_toolbox *toolbox, FILE *out)
{
    (void)fprintf(out, "%s: %s\n\nusage: %s COMMAND [ARGUMENTS]\n\n", toolbox->name,
                  toolbox->summary, toolbox->name);
    for (int i = 0; i < toolbox->num_tools; i++) {
        (void)fprintf(out, "  %-9s %s\n", toolbox->tools[i]->name, toolbox->tools[i]->summary);
    }
    (void)fprintf(out, "\n%s\n", toolbox->more);
}

static int run_tool(const judo_toolbox *toolbox, const judo_tool *tool, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(tool->help, stdout);
            return 0;
        }
    }
    judo_status status = tool->run(argc, argv);
    if (status != JUDO_OK) {
        judo_log(JUDO_LOG_ERROR, "%s %s: %s", toolbox->name, tool->name, judo_error_message());
    }
    return (int)status;
}

int judo_toolbox_main(const judo_toolbox *toolbox, int argc, char **argv)
{
    if (argc < 2) {
        print_overview(toolbox, stderr);
        return JUDO_ERROR_ARGUMENT;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_overview(toolbox, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", toolbox->name, JUDO_VERSION);
        return 0;
    }
    for (int i = 0; i < toolbox->num_tools; i++) {
        if (strcmp(argv[1], toolbox->tools[i]->name) == 0) {
            return run_tool(toolbox, toolbox->tools[i], argc - 1, argv + 1);
        }
    }
    judo_log(JUDO_LOG_ERROR, "no command '%s'; see %s --help", argv[1], toolbox->name);
    return JUDO_ERROR_ARGUMENT;
}
