/* runtime/log.c: log lines and progress bars. */
#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    int rank, num_ranks;
    judo_log_level lowest;
    bool bar_on_screen;
} self = {.num_ranks = 1, .lowest = JUDO_LOG_INFO};

static const double quiet_seconds = 2.0;
static const double terminal_interval = 0.1;
static const double plain_interval = 10.0;

double judo_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void judo_log_setup(int rank, int num_ranks, judo_log_level lowest)
{
    self.rank = rank;
    self.num_ranks = num_ranks;
    self.lowest = lowest;
}

bool judo_log_is_chief(void)
{
    return self.rank == 0;
}

static bool is_dropped(judo_log_level level)
{
    if (level < self.lowest) {
        return true;
    }
    return self.rank != 0 && level == JUDO_LOG_INFO;
}

static void erase_bar(void)
{
    if (self.bar_on_screen) {
        (void)fputs("\r\033[K", stderr);
        self.bar_on_screen = false;
    }
}

/* A line of several ranks begins with its rank: a text that does as well ("rank 3: ..", "rank 3
 * of 4: ..") loses it. */
static const char *without_own_rank(const char *text)
{
    static const char *const forms[] = {"rank %d: %n", "rank %d of %*d: %n"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int rank = -1;
        int length = 0;
        /* NOLINTNEXTLINE(cert-err34-c): a number that does not fit is no rank */
        if (sscanf(text, forms[i], &rank, &length) == 1 && length > 0 && rank == self.rank) {
            return text + length;
        }
    }
    return text;
}

void judo_log(judo_log_level level, const char *format, ...)
{
    static const char *const prefix[] = {"debug: ", "", "warning: ", "error: "};
    if (is_dropped(level)) {
        return;
    }
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    erase_bar();
    if (self.num_ranks > 1 && level != JUDO_LOG_INFO) {
        (void)fprintf(stderr, "[rank %d] %s%s\n", self.rank, prefix[level],
                      without_own_rank(text));
    } else {
        (void)fprintf(stderr, "%s%s\n", prefix[level], text);
    }
    (void)fflush(stderr);
}

void judo_progress_begin(judo_progress *progress, const char *title, const char *unit,
                         int64_t total)
{
    *progress = (judo_progress){.total = total, .started = judo_clock()};
    progress->last_drawn = progress->started;
    (void)snprintf(progress->title, sizeof progress->title, "%s", title);
    (void)snprintf(progress->unit, sizeof progress->unit, "%s", unit);
}

static void format_duration(double seconds, char *out, size_t bytes)
{
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600) {
        (void)snprintf(out, bytes, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60,
                       whole % 60);
    } else {
        (void)snprintf(out, bytes, "%ld:%02ld", whole / 60, whole % 60);
    }
}

static void draw(judo_progress *progress, double now, const char *note, bool terminal)
{
    double elapsed = now - progress->started;
    double rate = elapsed > 0 ? (double)progress->done / elapsed : 0;
    double left = rate > 0 ? (double)(progress->total - progress->done) / rate : 0;
    char left_text[32];
    char bar[21] = "";
    format_duration(left, left_text, sizeof left_text);
    if (terminal && progress->total > 0) {
        int filled = (int)(20 * progress->done / progress->total);
        memset(bar, '.', 20);
        memset(bar, '#', (size_t)(filled > 20 ? 20 : filled));
        bar[20] = '\0';
    }
    (void)fprintf(stderr, "%s%s %s%s%s%lld/%lld %s  %.3g %s/s  %s left%s%s%s",
                  terminal ? "\r\033[K" : "", progress->title, bar[0] ? "[" : "", bar,
                  bar[0] ? "] " : "", (long long)progress->done, (long long)progress->total,
                  progress->unit, rate, progress->unit, left_text, note ? "  " : "",
                  note ? note : "", terminal ? "" : "\n");
    (void)fflush(stderr);
    progress->last_drawn = now;
    progress->drawn = true;
    self.bar_on_screen = terminal;
}

void judo_progress_update(judo_progress *progress, int64_t done, const char *note)
{
    progress->done = done;
    if (self.rank != 0 || self.lowest > JUDO_LOG_INFO) {
        return;
    }
    double now = judo_clock();
    bool terminal = isatty(STDERR_FILENO) == 1;
    double interval = terminal ? terminal_interval : plain_interval;
    if (now - progress->started < quiet_seconds ||
        (progress->drawn && now - progress->last_drawn < interval)) {
        return;
    }
    draw(progress, now, note, terminal);
}

void judo_progress_end(judo_progress *progress)
{
    erase_bar();
    if (!progress->drawn || self.rank != 0) {
        return;
    }
    double elapsed = judo_clock() - progress->started;
    char took[32];
    format_duration(elapsed, took, sizeof took);
    (void)fprintf(stderr, "%s: %lld %s in %s (%.3g %s/s)\n", progress->title,
                  (long long)progress->done, progress->unit, took,
                  elapsed > 0 ? (double)progress->done / elapsed : 0, progress->unit);
    (void)fflush(stderr);
}
