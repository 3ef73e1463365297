/* launch/program.h: what the MPI programs have in common: options, start, agreed end. */
#ifndef JUDO_LAUNCH_PROGRAM_H
#define JUDO_LAUNCH_PROGRAM_H

#include <stdbool.h>

#include "parallel/comm.h"
#include "runtime/config.h"
#include "stages/stage.h"

/* `main` of a training program: PROGRAM config.yaml [key=value ...]. Returns the process's exit
 * code. */
int judo_program_train(const judo_stage *stage, int argc, char **argv);

/* Runs `work` on an open communicator after the configuration was read into `target` (size
 * `target_bytes`), which every rank gets from rank 0's reading of the files. Handles --help,
 * --print-config and --version. */
typedef judo_status (*judo_program_work)(judo_comm *comm, void *target, int threads);
int judo_program_run(const char *name, const char *summary, const judo_config_table *table,
                     void *target, size_t target_bytes, judo_program_work work, int argc,
                     char **argv);

#endif
