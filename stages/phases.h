/* stages/phases.h: what each rank is doing, how long it works on it, and who is slow.
 */
#ifndef JUDO_STAGES_PHASES_H
#define JUDO_STAGES_PHASES_H

#include "parallel/comm.h"
#include "runtime/metrics.h"

typedef enum judo_phase {
    JUDO_PHASE_DATA,
    JUDO_PHASE_ROLLOUT,
    JUDO_PHASE_REFERENCE,
    JUDO_PHASE_MODEL,
    JUDO_PHASE_OPTIMIZER,
    JUDO_PHASE_OTHER, /* metrics, checkpoints */
    JUDO_NUM_PHASES
} judo_phase;

typedef struct judo_phases {
    judo_comm *comm;
    int64_t step;
    judo_phase current;
    double since, waited_since;
    double work[JUDO_NUM_PHASES]; /* seconds without those waited for others; since a report */
} judo_phases;

/* The slowest rank of a report. */
typedef struct judo_straggler {
    int rank;
    judo_phase phase; /* in which it lost most */
    double factor;    /* its work over the median of the other ranks' */
    double excess;    /* seconds behind that median */
} judo_straggler;

void judo_phases_begin(judo_phases *phases, judo_comm *comm);
/* From now on: counts work, and names the communicator's phase for the messages of an expired
 * wait. Not collective. */
void judo_phases_enter(judo_phases *phases, int64_t step, judo_phase phase);
/* Puts the slowest rank since the last report among the metrics and warns if it keeps the
 * others waiting. Collective. */
judo_status judo_phases_report(judo_phases *phases, judo_metrics *metrics) JUDO_MUST_CHECK;

/* Of every rank's work[JUDO_NUM_PHASES], [num_ranks] rows, two at least. */
judo_straggler judo_straggler_find(const double *work, int num_ranks);

#endif
