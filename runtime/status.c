/* runtime/status.c: the thread-local record of the first cause. */
#include "runtime/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048, PLACE_BYTES = 256 };

static _Thread_local char last_message[MESSAGE_BYTES];
static _Thread_local char last_place[PLACE_BYTES];

void judo_fail_at(const char *source_file, int source_line, const char *format, ...)
{
    /* Formatted aside first: an argument may be the previous message itself. */
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(last_message, text, sizeof text);
    (void)snprintf(last_place, sizeof last_place, "%s:%d", source_file, source_line);
}

const char *judo_error_message(void)
{
    return last_message;
}

const char *judo_error_place(void)
{
    return last_place;
}

judo_status judo_error_set(judo_status code, const char *message)
{
    if (message != last_message) {
        (void)snprintf(last_message, sizeof last_message, "%s", message);
    }
    return code;
}

void judo_error_clear(void)
{
    last_message[0] = '\0';
    last_place[0] = '\0';
}

const char *judo_status_name(judo_status status)
{
    switch (status) {
    case JUDO_OK:
        return "ok";
    case JUDO_ERROR_ARGUMENT:
        return "argument error";
    case JUDO_ERROR_CONFIG:
        return "configuration error";
    case JUDO_ERROR_IO:
        return "input/output error";
    case JUDO_ERROR_FORMAT:
        return "format error";
    case JUDO_ERROR_MISMATCH:
        return "mismatch";
    case JUDO_ERROR_MEMORY:
        return "out of memory";
    case JUDO_ERROR_UNSUPPORTED:
        return "unsupported";
    case JUDO_ERROR_NUMERIC:
        return "numeric error";
    case JUDO_ERROR_COMM:
        return "communication error";
    case JUDO_ERROR_TIMEOUT:
        return "deadline passed";
    case JUDO_ERROR_INTERNAL:
        return "internal error";
    case JUDO_EXIT_REQUEUE:
        return "stopped after a checkpoint";
    }
    return "unknown status";
}
