/* parallel/roll_call_mpi.h: who does not answer when a wait has outlasted its deadline.
 */
#ifndef JUDO_PARALLEL_ROLL_CALL_MPI_H
#define JUDO_PARALLEL_ROLL_CALL_MPI_H

#include <stdbool.h>
#include <stddef.h>

#include "parallel/comm.h"

/* Tells all other ranks over `control` (a communicator made by judo_comm_mpi_create in which
 * nothing is under way) that this rank gives up on `comm`, and at which collective it is; then
 * waits `seconds` for the same from them. `out` gets a sentence with the ranks that do not
 * answer, or those that wait for another collective; the same on all ranks that answer each
 * other. True on the lowest rank that answered. Every rank that gives up calls it; the others
 * need not. */
bool judo_roll_call(judo_comm *control, const judo_comm *comm, double seconds, char *out,
                    size_t bytes);

#endif
