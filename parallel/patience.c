/* parallel/patience.c: spin, yield, sleep, give up. */
#include "parallel/patience.h"

#include <sched.h>
#include <time.h>

#include "runtime/log.h"

judo_patience judo_patience_begin(void)
{
    return (judo_patience){.began = judo_clock()};
}

judo_status judo_patience_pause(judo_patience *patience, judo_comm *comm, int64_t sequence)
{
    enum { FREE_SPINS = 100, CLOCK_EVERY = 64 };

    static const double sleep_after = 0.005;
    static const struct timespec nap = {.tv_nsec = 50000};
    int64_t spin = patience->spins++;
    if (spin < FREE_SPINS) {
        return JUDO_OK;
    }
    if (patience->waited > sleep_after) {
        (void)nanosleep(&nap, NULL);
    } else {
        (void)sched_yield();
    }
    if (spin % CLOCK_EVERY == 0) {
        patience->waited = judo_clock() - patience->began;
        if (patience->waited > judo_comm_deadline(comm)) {
            return judo_comm_expired(comm, sequence);
        }
    }
    return JUDO_OK;
}
