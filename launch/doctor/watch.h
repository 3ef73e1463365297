/* launch/doctor/watch.h: work in a child process that may hang or crash without harm to its
 * parent: it gets so many seconds. */
#ifndef JUDO_LAUNCH_DOCTOR_WATCH_H
#define JUDO_LAUNCH_DOCTOR_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/status.h"

enum { JUDO_WATCH_BYTES = 64 << 10 };

typedef struct judo_watched {
    char text[JUDO_WATCH_BYTES + 1]; /* what it wrote, as far as it has room; ends with NUL */
    size_t length;
    bool expired;  /* its time ran out; it and its children were told to end, then killed */
    int signal;    /* that ended it, or 0 */
    int exit_code; /* if neither */
} judo_watched;

/* Runs `work` in a child with its own process group. What it writes to `output` comes back; its
 * result is the exit code. Returns soon after `seconds`, also where the child cannot be killed
 * (a system call on a dead file server): it is left behind then. */
judo_status judo_watch(int (*work)(void *context, int output), void *context, double seconds,
                       judo_watched *out) JUDO_MUST_CHECK;

/* The same for a command, looked up in PATH; both its outputs come back, its input is empty.
 * 127: there is no such command. */
judo_status judo_watch_command(const char *const *arguments, double seconds,
                               judo_watched *out) JUDO_MUST_CHECK;

#endif
