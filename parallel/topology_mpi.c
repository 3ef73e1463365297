/* parallel/topology_mpi.c: machines and CPU shares, from MPI's shared-memory split. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_mpi.h"

/* A CPU that k ranks of the machine may use counts 1/k to each. */
static int fair_threads(const cpu_set_t *mine, const cpu_set_t *masks, int num_masks)
{
    double share = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, mine)) {
            continue;
        }
        int users = 0;
        for (int i = 0; i < num_masks; i++) {
            users += CPU_ISSET(cpu, &masks[i]) ? 1 : 0;
        }
        share += 1.0 / (users > 0 ? users : 1);
    }
    int threads = (int)(share + 1e-6);
    return threads > 0 ? threads : 1;
}

static judo_status read_masks(judo_comm_mpi *self, MPI_Comm local, judo_topology *topology)
{
    cpu_set_t mine;
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) {
        CPU_SET(0, &mine);
    }
    cpu_set_t *masks = calloc((size_t)topology->local_size, sizeof *masks);
    if (masks == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d CPU masks", topology->local_size);
    }
    judo_status status = judo_mpi_check(self,
                                        MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, masks,
                                                      (int)sizeof mine, MPI_BYTE, local),
                                        "MPI_Allgather");
    if (status == JUDO_OK) {
        topology->num_cpus = CPU_COUNT(&mine);
        topology->threads = fair_threads(&mine, masks, topology->local_size);
    }
    free(masks);
    return status;
}

/* Machines are numbered in the order of their lowest ranks. */
static judo_status number_nodes(judo_comm *comm, MPI_Comm local, judo_topology *topology)
{
    int chief = comm->rank;
    JUDO_TRY(judo_mpi_check((judo_comm_mpi *)comm, MPI_Bcast(&chief, 1, MPI_INT, 0, local),
                            "MPI_Bcast"));
    int64_t mine = chief;
    int64_t *chiefs = malloc((size_t)comm->size * sizeof *chiefs);
    if (chiefs == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d ranks", comm->size);
    }
    judo_status status = judo_comm_all_gather(comm, &mine, sizeof mine, chiefs);
    for (int r = 0; status == JUDO_OK && r < comm->size; r++) {
        if (chiefs[r] == r) {
            topology->num_nodes++;
            topology->node += r < chief ? 1 : 0;
        }
    }
    free(chiefs);
    return status;
}

judo_status judo_topology_mpi(judo_comm *comm, judo_topology *out)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    judo_topology topology = {0};
    MPI_Comm local;
    JUDO_TRY(judo_mpi_check(
        self,
        MPI_Comm_split_type(self->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &local),
        "MPI_Comm_split_type"));
    (void)MPI_Comm_rank(local, &topology.local_rank);
    (void)MPI_Comm_size(local, &topology.local_size);
    judo_status status = read_masks(self, local, &topology);
    if (status == JUDO_OK) {
        status = number_nodes(comm, local, &topology);
    }
    (void)MPI_Comm_free(&local);
    JUDO_TRY(status);
    *out = topology;
    return JUDO_OK;
}
