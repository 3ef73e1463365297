/* launch/doctor/watch.c: fork, read with a deadline, kill what is left. */
#include "launch/doctor/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"

static const double grace = 2; /* seconds between being told to end and being killed */

/* Waits for output until `end` on judo_clock; false when the time is over. More output than
 * there is room for is read and dropped, so that its writer does not stand. */
static bool read_until(int input, double end, judo_watched *out)
{
    char spill[4096];
    for (;;) {
        double left = end - judo_clock();
        struct pollfd ready = {.fd = input, .events = POLLIN};
        int count = left > 0 ? poll(&ready, 1, (int)(left * 1000) + 1) : 0;
        if (count == 0 && judo_clock() >= end) {
            return false;
        }
        if (count <= 0) {
            continue; /* a signal, or early by a rounding */
        }
        size_t room = JUDO_WATCH_BYTES - out->length;
        ssize_t got = room > 0 ? read(input, out->text + out->length, room)
                               : read(input, spill, sizeof spill);
        if (got <= 0 && errno != EINTR) {
            return true;
        }
        out->length += got > 0 && room > 0 ? (size_t)got : 0;
    }
}

/* Whether the child ended before `end`. */
static bool reap_until(pid_t child, double end, judo_watched *out)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    for (;;) {
        int state = 0;
        pid_t ended = waitpid(child, &state, WNOHANG);
        if (ended == child) {
            out->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
            out->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : 0;
            return true;
        }
        if (judo_clock() >= end) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void collect(pid_t child, int input, double seconds, judo_watched *out)
{
    double end = judo_clock() + seconds;
    bool closed = read_until(input, end, out);
    if (!closed || !reap_until(child, end, out)) {
        out->expired = true;
        (void)kill(-child, SIGTERM); /* a launcher takes its ranks down */
        if (!reap_until(child, judo_clock() + grace, out)) {
            (void)kill(-child, SIGKILL);
            (void)reap_until(child, judo_clock() + grace, out);
        }
    }
    (void)kill(-child, SIGKILL); /* what it started and left */
    out->text[out->length] = '\0';
}

judo_status judo_watch(int (*work)(void *context, int output), void *context, double seconds,
                       judo_watched *out)
{
    int ends[2];
    *out = (judo_watched){0};
    (void)fflush(NULL); /* or the child would print it again */
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "no pipe: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child == 0) {
        (void)setpgid(0, 0);
        (void)close(ends[0]);
        _exit(work(context, ends[1]));
    }
    (void)close(ends[1]);
    if (child < 0) {
        (void)close(ends[0]);
        return JUDO_FAIL(JUDO_ERROR_IO, "no process: %s", strerror(errno));
    }
    (void)setpgid(child, child); /* whoever is first */
    collect(child, ends[0], seconds, out);
    (void)close(ends[0]);
    return JUDO_OK;
}

static int run_command(void *context, int output)
{
    char *const *arguments = context;
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0) {
        return 126;
    }
    (void)execvp(arguments[0], arguments);
    return 127;
}

judo_status judo_watch_command(const char *const *arguments, double seconds, judo_watched *out)
{
    return judo_watch(run_command, (void *)arguments, seconds, out);
}
