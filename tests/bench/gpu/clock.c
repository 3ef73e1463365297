/* tests/bench/gpu/clock.c: the time of what is measured. */
#include <time.h>

#include "tests/bench/gpu/bench.h"

double bench_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
