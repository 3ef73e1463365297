/* runtime/ops/cpu.c: threads and scratch memory of the CPU backend. */
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>

#include "runtime/memory.h"

enum { GRAIN = 16384 };

static int num_threads;

void judo_ops_cpu_set_threads(int threads)
{
    num_threads = threads > 0 ? threads : 0;
}

int judo_ops_cpu_threads(void)
{
    if (num_threads == 0) {
        num_threads = omp_get_max_threads(); /* OMP_NUM_THREADS, else the CPUs in the mask */
    }
    return num_threads;
}

int judo_cpu_threads_for(int64_t work)
{
    return work < GRAIN ? 1 : judo_ops_cpu_threads();
}

judo_status judo_cpu_scratch(void **memory, judo_cpu_scratch_user user, int64_t bytes)
{
    static void *buffers[JUDO_SCRATCH_USERS];
    static int64_t capacities[JUDO_SCRATCH_USERS];
    if (bytes > capacities[user]) {
        void *grown = judo_memory_take((size_t)bytes);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY,
                             "ops: no memory for %" PRId64 " bytes of scratch; use smaller "
                             "batches or chunks",
                             bytes);
        }
        free(buffers[user]);
        buffers[user] = grown;
        capacities[user] = bytes;
    }
    *memory = buffers[user];
    return JUDO_OK;
}
