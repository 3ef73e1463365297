/* tests/parallel/fake_device.h: a device with collectives of its own, for the logic around
 * them: queues move one entry at a time, and only while somebody asks how far they are. */
#ifndef JUDO_TESTS_PARALLEL_FAKE_DEVICE_H
#define JUDO_TESTS_PARALLEL_FAKE_DEVICE_H

#include "runtime/device.h"

/* What goes wrong, on this rank. All zero: nothing. */
typedef struct fake_faults {
    int slow_settling; /* times that `settled` says no first, after every call */
    bool never_settles;
    bool never_completes; /* an exchange that is queued stays where it is */
    int error_after;      /* `settled` fails once it was asked so often; 0: never */
    bool refuses_to_begin;
    bool refuses_loans;
    const char *place; /* NULL: a place for each rank */
} fake_faults;

extern fake_faults fake;

typedef struct fake_counts {
    int begun, released, aborted, buffers;
    int64_t lent; /* bytes */
    int64_t last_lent;
} fake_counts;

extern fake_counts fake_seen;

/* Collective the first time: makes memory that all ranks share. */
const judo_device *fake_device(void);

/* --- between fake_device.c and fake_collectives.c --- */

/* Queues a piece of work: `step` is called, with a copy of `work`, until it returns true. */
typedef bool (*fake_step)(void *work);
judo_status fake_queue(judo_stream *stream, fake_step step, const void *work, int64_t bytes);
/* Every queue does one step of its first entry. */
void fake_progress(void);
/* Forgets what is queued there. */
void fake_drop(judo_stream *stream);

extern const judo_device_collectives fake_collectives;
void fake_share_memory(void);

#endif
