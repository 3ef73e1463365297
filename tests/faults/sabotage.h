/* tests/faults/sabotage.h: does one bad thing in one phase of one step on one rank.
 */
#ifndef JUDO_TESTS_FAULTS_SABOTAGE_H
#define JUDO_TESTS_FAULTS_SABOTAGE_H

#include "parallel/comm.h"
#include "runtime/params.h"

typedef struct sabotage {
    judo_comm *comm;
    const char *deed, *phase;
    long step, rank;
} sabotage;

/* If this is the rank, the phase and the step: dies, stops, sleeps, takes a signal, or fails.
 */
judo_status sabotage_strike(const sabotage *self, const char *phase, long step) JUDO_MUST_CHECK;

/* The deed "skip": true where this rank is to leave out what the others do together. */
bool sabotage_skips(const sabotage *self, const char *phase, long step);

/* The deed "flip": one bit of the second unit's weights in a rank's own copy. */
judo_status sabotage_flip(const sabotage *self, judo_params *copy, long step) JUDO_MUST_CHECK;

/* Parameters that pass on to `inner` and strike on the way: in the second unit's forward
 * ("forward"), in its backward with its gradient lent ("backward"; the deed "nan" poisons it)
 * and in the middle of its reduction ("reduction": the others have begun). Valid until the next
 * call. */
judo_params *sabotage_params(const sabotage *self, judo_params *inner, long step);

#endif
