/* runtime/status.h: one status type for every function that can fail, and the first cause in
 * words. Rule: the function that first detects a failure explains it with JUDO_FAIL; everyone
 * above passes the status on with JUDO_TRY. Outputs are set only on success. */
#ifndef JUDO_RUNTIME_STATUS_H
#define JUDO_RUNTIME_STATUS_H

#include <stddef.h>

/* The values are also the exit codes of the programs. */
typedef enum judo_status {
    JUDO_OK = 0,
    JUDO_ERROR_ARGUMENT =
        10, /* a caller or a command line asked for something that has no meaning */
    JUDO_ERROR_CONFIG = 11,      /* a configuration file or override is wrong */
    JUDO_ERROR_IO = 12,          /* the system refused to open, read, write or rename */
    JUDO_ERROR_FORMAT = 13,      /* a file's content is malformed */
    JUDO_ERROR_MISMATCH = 14,    /* two well-formed things do not fit each other */
    JUDO_ERROR_MEMORY = 15,      /* memory is exhausted, or the plan says that it would be */
    JUDO_ERROR_UNSUPPORTED = 16, /* well-formed, but judo cannot do it */
    JUDO_ERROR_NUMERIC = 17,     /* a number that must be finite is not */
    JUDO_ERROR_COMM = 18,        /* a communicator failed */
    JUDO_ERROR_TIMEOUT = 19,     /* a wait outlasted its deadline */
    JUDO_ERROR_INTERNAL = 20,    /* a bug in judo */
    JUDO_EXIT_REQUEUE =
        75, /* not an error: stopped on a signal after a checkpoint; run me again */
} judo_status;

#define JUDO_MUST_CHECK __attribute__((warn_unused_result))

/* Records the formatted message as this thread's last error. JUDO_FAIL has the value `code`, in
 * sight of compiler and analyzers: they then know that what a JUDO_TRY gave is set behind it.
 * Message style: "FILE:PLACE: what is wrong, with values; what to do". */
void judo_fail_at(const char *source_file, int source_line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define JUDO_FAIL(code, ...)                                                                   \
    (judo_fail_at(__FILE__, __LINE__, __VA_ARGS__), (judo_status)(code))

/* Returns early with the status of `expression` unless it is JUDO_OK. */
#define JUDO_TRY(expression)                                                                   \
    do {                                                                                       \
        judo_status judo_try_status_ = (expression);                                           \
        if (judo_try_status_ != JUDO_OK) {                                                     \
            return judo_try_status_;                                                           \
        }                                                                                      \
    } while (0)

/* Sets `status` and jumps to `label` unless `expression` is JUDO_OK. */
#define JUDO_TRY_GOTO(status, label, expression)                                               \
    do {                                                                                       \
        (status) = (expression);                                                               \
        if ((status) != JUDO_OK) {                                                             \
            goto label;                                                                        \
        }                                                                                      \
    } while (0)

/* The message of this thread's last error ("" if none). Borrowed; valid until the next failure.
 */
const char *judo_error_message(void);

/* The source position of the last error, for debug logs, as "file:line". */
const char *judo_error_place(void);

/* Replaces the last error's message, e.g. by one that came from another rank. Returns `code`.
 */
judo_status judo_error_set(judo_status code, const char *message);

/* Forgets the last error. */
void judo_error_clear(void);

/* The name of a status, such as "format error". */
const char *judo_status_name(judo_status status);

#endif
