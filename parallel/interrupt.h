/* parallel/interrupt.h: SIGTERM and SIGUSR1 ask for a checkpoint at the next step boundary. */
#ifndef JUDO_PARALLEL_INTERRUPT_H
#define JUDO_PARALLEL_INTERRUPT_H

#include "parallel/comm.h"

/* Installs the handlers. The first signal sets a flag; one more than a second later (launcher
 * and batch system often both deliver the first) ends the process at once. Not collective. */
judo_status judo_interrupt_install(void) JUDO_MUST_CHECK;

/* This rank's flag: the signal's number, or 0. Not collective. */
int judo_interrupt_pending(void);

/* True on all ranks if a signal reached any. Collective. */
judo_status judo_interrupt_agreed(judo_comm *comm, bool *stop) JUDO_MUST_CHECK;

#endif
