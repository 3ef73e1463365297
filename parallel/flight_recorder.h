/* parallel/flight_recorder.h: what this rank's last collectives were; printed when a wait
 * outlasts its deadline, so that the ranks' last lines can be laid side by side. */
#ifndef JUDO_PARALLEL_FLIGHT_RECORDER_H
#define JUDO_PARALLEL_FLIGHT_RECORDER_H

#include <stdint.h>

enum { JUDO_FLIGHT_ENTRIES = 256, JUDO_PHASE_BYTES = 64, JUDO_FLIGHT_UNIT_BYTES = 64 };

typedef struct judo_flight {
    const char *collective; /* static text */
    int64_t sequence;       /* 1, 2, ..: equal on all ranks for the same collective */
    int64_t bytes;          /* of this rank's contribution */
    double began, ended;    /* judo_clock(); ended is 0 while outstanding */
    uint32_t label;         /* a hash of what it is: ranks that differ in it have diverged */
    char phase[JUDO_PHASE_BYTES];
    char unit[JUDO_FLIGHT_UNIT_BYTES]; /* of the model, "model.layers.3"; cut; or empty */
} judo_flight;

typedef struct judo_flight_recorder {
    judo_flight entries[JUDO_FLIGHT_ENTRIES];
    int64_t last;             /* sequence number of the newest entry; 0: none */
    double in_flight_seconds; /* summed over closed entries, from start to seen complete */
    struct judo_flight_recorder *outer; /* whose in_flight_seconds grow too; or NULL */
} judo_flight_recorder;

/* Opens an entry and returns its sequence number. `unit` may be NULL. */
int64_t judo_flight_begin(judo_flight_recorder *recorder, const char *collective, int64_t bytes,
                          const char *phase, const char *unit);
/* Closes an entry; one that is no longer kept is ignored. */
void judo_flight_end(judo_flight_recorder *recorder, int64_t sequence);
/* NULL if no longer kept. */
const judo_flight *judo_flight_get(const judo_flight_recorder *recorder, int64_t sequence);

/* What can be said of a collective to other processes. */
typedef struct judo_flight_notice {
    int64_t sequence;
    uint32_t label;
    char text[192]; /* "#812 all_gather of model.layers.3, 1.2 MB, in phase 'backward'" */
} judo_flight_notice;

/* Only the number if it is no longer kept. */
judo_flight_notice judo_flight_describe(const judo_flight_recorder *recorder, int64_t sequence);
/* Logs the outstanding collectives and the newest others, oldest first, as warnings. */
void judo_flight_print(const judo_flight_recorder *recorder);

#endif
