/* runtime/log.h: lines for people, on standard error. Rank 0 speaks; other ranks only warn. */
#ifndef JUDO_RUNTIME_LOG_H
#define JUDO_RUNTIME_LOG_H

#include <stdbool.h>
#include <stdint.h>

typedef enum judo_log_level {
    JUDO_LOG_DEBUG,
    JUDO_LOG_INFO,
    JUDO_LOG_WARNING,
    JUDO_LOG_ERROR
} judo_log_level;

/* Says who this process is and the lowest level that is printed. Info and debug lines of ranks
 * other than 0 are dropped (debug lines are kept when the level is debug); warnings and errors
 * carry "[rank r]" when num_ranks > 1. */
void judo_log_setup(int rank, int num_ranks, judo_log_level lowest);
bool judo_log_is_chief(void); /* rank 0 */

void judo_log(judo_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define JUDO_DEBUG(...)   judo_log(JUDO_LOG_DEBUG, __VA_ARGS__)
#define JUDO_INFO(...)    judo_log(JUDO_LOG_INFO, __VA_ARGS__)
#define JUDO_WARNING(...) judo_log(JUDO_LOG_WARNING, __VA_ARGS__)

/* A progress bar with rate and time left: redrawn in place on a terminal, plain lines (at most
 * one every ten seconds) elsewhere; silent when the work ends within two seconds and on ranks
 * other than 0. Log lines print above it. One at a time. */
typedef struct judo_progress {
    char title[64];
    char unit[16];
    int64_t total, done;
    double started, last_drawn;
    bool drawn;
} judo_progress;

void judo_progress_begin(judo_progress *progress, const char *title, const char *unit,
                         int64_t total);
/* `note` (may be NULL) is shown behind the numbers, e.g. "loss 1.234". */
void judo_progress_update(judo_progress *progress, int64_t done, const char *note);
void judo_progress_end(judo_progress *progress);

/* Seconds on a clock that never jumps. */
double judo_clock(void);

#endif
