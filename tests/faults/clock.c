/* tests/faults/clock.c: with the deed "jump", the wall clock of the rank that is meant is nine
 * hours ahead and nine behind in turn, at every look. The monotonic clock goes on as ever. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "tests/faults/interpose.h"

enum { JUMP_SECONDS = 9 * 3600 };

typedef int (*clock_reader)(clockid_t, struct timespec *);

static atomic_int looks;

static bool jumps(void)
{
    static atomic_int known; /* 0: not yet; 1: no; 2: yes */
    if (known == 0) {
        const char *deed = getenv("JUDO_FAULT_DO");
        const char *meant = getenv("JUDO_FAULT_RANK");
        const char *rank = getenv("OMPI_COMM_WORLD_RANK");
        known = deed != NULL && strcmp(deed, "jump") == 0 &&
                        strcmp(meant ? meant : "0", rank ? rank : "0") == 0
                    ? 2
                    : 1;
    }
    return known == 2;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    static _Atomic(clock_reader) next;
    if (next == NULL) {
        next = (clock_reader)judo_fault_next("clock_gettime");
    }
    int result = next(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && jumps()) {
        out->tv_sec += looks++ % 2 == 0 ? JUMP_SECONDS : -JUMP_SECONDS;
    }
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
