/* launch/tool.h: the subcommands of `judo`. Each takes its own argument vector (argv[0] is its
 * name) and prints its own --help. */
#ifndef JUDO_LAUNCH_TOOL_H
#define JUDO_LAUNCH_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/json.h"
#include "runtime/status.h"

typedef struct judo_tool {
    const char *name;
    const char *summary; /* one line for the overview */
    const char *help;    /* whole text of --help */
    judo_status (*run)(int argc, char **argv);
} judo_tool;

/* A program made of such commands. */
typedef struct judo_toolbox {
    const char *name, *summary;
    const char *more; /* the overview's last paragraph */
    const judo_tool *const *tools;
    int num_tools;
} judo_toolbox;

/* Runs the command that argv[1] names, or prints the overview; gives the exit code. */
int judo_toolbox_main(const judo_toolbox *toolbox, int argc, char **argv);

extern const judo_tool judo_tool_synth, judo_tool_init, judo_tool_pack, judo_tool_tokenize,
    judo_tool_score, judo_tool_generate, judo_tool_embed, judo_tool_reward, judo_tool_cells,
    judo_tool_report, judo_tool_inspect, judo_tool_scaling, judo_tool_doctor, judo_tool_plan;

/* Options of a subcommand: `--name value` pairs described by a table, positional arguments in
 * between. */
typedef enum judo_option_type {
    JUDO_OPTION_FLAG,
    JUDO_OPTION_STRING,
    JUDO_OPTION_INT,
    JUDO_OPTION_FLOAT,
    JUDO_OPTION_LIST
} judo_option_type;

enum { JUDO_MAX_OPTION_VALUES = 64 };

/* The values of an option that may be given more than once, in order; borrowed. */
typedef struct judo_option_list {
    const char *values[JUDO_MAX_OPTION_VALUES];
    int count;
} judo_option_list;

typedef struct judo_option {
    const char *name; /* without the dashes */
    judo_option_type type;
    void *target; /* bool, const char *, int64_t, double or judo_option_list */
} judo_option;

/* Sets the options' targets and compacts the positional arguments to positional[0 ..
 * *num_positional). JUDO_ERROR_ARGUMENT names an unknown option, a missing or malformed value,
 * or a wrong number of positional arguments. */
judo_status judo_options_parse(int argc, char **argv, const judo_option *options,
                               int num_options, int min_positional, int max_positional,
                               const char **positional, int *num_positional) JUDO_MUST_CHECK;

/* Runs `answer` over every JSON line of `input_path` (NULL or "-": standard input) and prints
 * one JSON line for each to standard output: the object that `answer` writes. A row that fails
 * ends the run with an error that names its line. */
typedef judo_status (*judo_filter_answer)(void *context, const judo_json *request,
                                          const char *source, judo_json_writer *answer);
judo_status judo_filter_run(const char *input_path, judo_filter_answer answer,
                            void *context) JUDO_MUST_CHECK;

#endif
