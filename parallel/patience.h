/* parallel/patience.h: how to stand and wait for other ranks.
 */
#ifndef JUDO_PARALLEL_PATIENCE_H
#define JUDO_PARALLEL_PATIENCE_H

#include "parallel/comm.h"

/* One wait; all zero but `began`. */
typedef struct judo_patience {
    double began, waited;
    int64_t spins;
} judo_patience;

judo_patience judo_patience_begin(void);
/* Between two looks at what is waited for: spins first, then yields, and sleeps once the wait
 * is long, because other ranks may need this CPU. Past the communicator's deadline it prints
 * and returns judo_comm_expired of the collective `sequence`. */
judo_status judo_patience_pause(judo_patience *patience, judo_comm *comm,
                                int64_t sequence) JUDO_MUST_CHECK;

#endif
