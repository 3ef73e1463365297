/* launch/program.c: the shell of an MPI program. */
#include "launch/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/process.h"
#include "runtime/log.h"
#include "stages/train_loop.h"

typedef struct command_line {
    const char *yaml;
    const char *const *overrides;
    int num_overrides;
    bool help, print_config, version;
} command_line;

/* PROGRAM [options] config.yaml [key=value ...]; `argv` is reordered so that overrides are one
 * run. */
static judo_status parse_command_line(int argc, char **argv, command_line *out)
{
    int kept = 0;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            out->help = true;
        } else if (strcmp(argument, "--print-config") == 0) {
            out->print_config = true;
        } else if (strcmp(argument, "--version") == 0) {
            out->version = true;
        } else if (argument[0] == '-') {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "unknown option '%s'; see --help", argument);
        } else if (strchr(argument, '=')) {
            argv[kept++] = argv[i];
        } else if (!out->yaml) {
            out->yaml = argument;
        } else {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "'%s': one configuration file is enough ('%s' was given); "
                             "settings are key=value",
                             argument, out->yaml);
        }
    }
    out->overrides = (const char *const *)argv;
    out->num_overrides = kept;
    return JUDO_OK;
}

static void print_help(const char *name, const char *summary, const judo_config_table *table)
{
    printf("%s: %s\n\n"
           "usage: mpirun -np RANKS %s config.yaml [key=value ...]\n"
           "       %s --print-config config.yaml [key=value ...]   the resolved configuration, "
           "then end\n\n"
           "Settings come from the file, then from key=value. Unknown keys are errors.\n\n",
           name, summary, name, name);
    judo_config_print_help(stdout, table);
}

/* Before MPI starts only the launcher's environment tells the ranks apart. */
static bool is_first_rank(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                            "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *rank = getenv(variables[i]);
        if (rank) {
            return strcmp(rank, "0") == 0;
        }
    }
    return true;
}

/* Rank 0 reads; the others receive the bytes, so that one line explains a mistake and all ranks
 * see the same. */
static judo_status load_config(judo_comm *comm, const command_line *line,
                               const judo_config_table *table, void *target,
                               size_t target_bytes)
{
    judo_status status = JUDO_OK;
    if (comm->rank == 0) {
        status =
            judo_config_load(target, table, line->yaml, line->overrides, line->num_overrides);
    }
    JUDO_TRY(judo_agree(comm, status));
    return judo_comm_broadcast(comm, target, (int64_t)target_bytes, 0);
}

static judo_status run_program(judo_comm *comm, const command_line *line,
                               const judo_config_table *table, void *target,
                               size_t target_bytes, judo_program_work work, int threads)
{
    JUDO_TRY(load_config(comm, line, table, target, target_bytes));
    if (line->print_config) {
        return comm->rank == 0 ? judo_config_print(stdout, target, table) : JUDO_OK;
    }
    return work(comm, target, threads);
}

int judo_program_run(const char *name, const char *summary, const judo_config_table *table,
                     void *target, size_t target_bytes, judo_program_work work, int argc,
                     char **argv)
{
    command_line line = {0};
    judo_status parsed = parse_command_line(argc, argv, &line);
    if (parsed == JUDO_OK && (line.help || line.version)) {
        if (line.version && is_first_rank()) {
            printf("%s %s\n", name, JUDO_VERSION);
        } else if (is_first_rank()) {
            print_help(name, summary, table);
        }
        return 0;
    }
    judo_process process = {0};
    judo_status status = judo_process_begin(&process, JUDO_LOG_INFO);
    if (status != JUDO_OK) {
        return judo_process_end(&process, status);
    }
    judo_ops_cpu_set_threads(process.topology.threads);
    status = parsed;
    if (status == JUDO_OK && !line.yaml && line.num_overrides == 0) {
        status = JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "needs a configuration file: %s config.yaml [key=value ...]; see --help", name);
    }
    status = judo_agree(process.comm, status);
    if (status == JUDO_OK) {
        status = run_program(process.comm, &line, table, target, target_bytes, work,
                             process.topology.threads);
    }
    return judo_process_end(&process, status);
}

static const judo_stage *current_stage;

static judo_status train(judo_comm *comm, void *target, int threads)
{
    return judo_train(comm, current_stage, target, threads);
}

int judo_program_train(const judo_stage *stage, int argc, char **argv)
{
    judo_train_config *config = calloc(1, sizeof *config);
    if (!config) {
        (void)fprintf(stderr, "error: no memory for the configuration\n");
        return JUDO_ERROR_MEMORY;
    }
    current_stage = stage;
    judo_config_table table = judo_train_config_table(stage->for_grpo);
    const char *name = strrchr(argv[0], '/');
    int code = judo_program_run(name ? name + 1 : argv[0], stage->summary, &table, config,
                                sizeof *config, train, argc, argv);
    free(config);
    return code;
}
