/* data/buffers.h: growable runs of bytes and of 32-bit ids. Zero-initialise; free when done.
 * A failed append leaves the buffer as it was. */
#ifndef JUDO_DATA_BUFFERS_H
#define JUDO_DATA_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

/* Bytes; after any append bytes[length] is 0, so that text without zero bytes is a C string. */
typedef struct judo_text {
    char *bytes;
    size_t length, capacity;
} judo_text;

/* Token ids; also used for code points. */
typedef struct judo_ids {
    int32_t *ids;
    int64_t count, capacity;
} judo_ids;

/* Makes room for `extra` more bytes (and the closing 0). */
judo_status judo_text_reserve(judo_text *text, size_t extra) JUDO_MUST_CHECK;
judo_status judo_text_append(judo_text *text, const char *bytes, size_t length) JUDO_MUST_CHECK;
judo_status judo_text_append_string(judo_text *text, const char *string) JUDO_MUST_CHECK;
judo_status judo_text_append_format(judo_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3))) JUDO_MUST_CHECK;
void judo_text_clear(judo_text *text); /* keeps the memory */
void judo_text_free(judo_text *text);

judo_status judo_ids_reserve(judo_ids *ids, int64_t extra) JUDO_MUST_CHECK;
judo_status judo_ids_append(judo_ids *ids, int32_t id) JUDO_MUST_CHECK;
judo_status judo_ids_append_many(judo_ids *ids, const int32_t *more,
                                 int64_t count) JUDO_MUST_CHECK;
/* Appends `id` `count` times. */
judo_status judo_ids_append_run(judo_ids *ids, int32_t id, int64_t count) JUDO_MUST_CHECK;
void judo_ids_clear(judo_ids *ids);
void judo_ids_free(judo_ids *ids);

#endif
