/* parallel/topology.h: which ranks share a machine, and how many threads a rank may use. */
#ifndef JUDO_PARALLEL_TOPOLOGY_H
#define JUDO_PARALLEL_TOPOLOGY_H

typedef struct judo_topology {
    int node, num_nodes;        /* machines, numbered by their lowest rank */
    int local_rank, local_size; /* among the ranks of this machine */
    int num_cpus;               /* CPUs that this rank may run on */
    int threads; /* this rank's fair share of them, at least 1: a CPU that k ranks may use
                    counts 1/k to each */
} judo_topology;

#endif
