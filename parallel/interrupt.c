/* parallel/interrupt.c: signals become a flag that all ranks see at the same step. */
#include "parallel/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t pending_signal;
static volatile sig_atomic_t first_second;

static void on_signal(int number)
{
    struct timespec now = {0};
    int saved = errno;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (pending_signal == 0) {
        pending_signal = number;
        first_second = (sig_atomic_t)now.tv_sec;
    } else if ((sig_atomic_t)now.tv_sec - first_second > 1) {
        _exit(128 + number);
    }
    errno = saved;
}

judo_status judo_interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    pending_signal = 0;
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "cannot install signal handlers: %s",
                         strerror(errno));
    }
    return JUDO_OK;
}

int judo_interrupt_pending(void)
{
    return (int)pending_signal;
}

judo_status judo_interrupt_agreed(judo_comm *comm, bool *stop)
{
    int64_t signal_number = pending_signal;
    JUDO_TRY(judo_comm_max_i64(comm, &signal_number, 1));
    *stop = signal_number != 0;
    return JUDO_OK;
}
