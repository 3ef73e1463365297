/* runtime/json.h: reading and writing JSON. Wraps cJSON; adds limits, positions in errors, and
 * typed access that explains what is wrong. Nodes are borrowed from their document. */
#ifndef JUDO_RUNTIME_JSON_H
#define JUDO_RUNTIME_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/status.h"

typedef struct cJSON judo_json;

/* Parses a document of `length` bytes. `source` names it in errors ("file" or "file:line").
 * UTF-8 is checked; depth and size are limited; trailing garbage and duplicate keys are errors.
 * Free with judo_json_free. */
judo_status judo_json_parse(const char *text, size_t length, const char *source,
                            judo_json **out) JUDO_MUST_CHECK;
/* Reads and parses a whole file. */
judo_status judo_json_load(const char *path, judo_json **out) JUDO_MUST_CHECK;
void judo_json_free(judo_json **document);

/* Reads a file of JSON lines: calls `row` for each non-empty line with its 1-based number;
 * stops at the first failure. */
typedef judo_status (*judo_json_row)(void *context, const judo_json *row, int64_t line);
judo_status judo_json_each_line(const char *path, judo_json_row row,
                                void *context) JUDO_MUST_CHECK;
/* The same from an open stream (standard input); `source` names it. */
judo_status judo_json_each_line_of(FILE *stream, const char *source, judo_json_row row,
                                   void *context) JUDO_MUST_CHECK;

/* Structure. NULL / 0 when absent or of another type. */
const judo_json *judo_json_get(const judo_json *object, const char *key);
const judo_json *judo_json_at(const judo_json *array,
                              int index); /* O(index): prefer first/next */
int judo_json_size(const judo_json *array_or_object);
const judo_json *judo_json_first(const judo_json *array_or_object);
const judo_json *judo_json_next(const judo_json *item);
const char *judo_json_key(const judo_json *item); /* an object member's key */
bool judo_json_is_null(const judo_json *item);    /* also true for NULL */
bool judo_json_is_object(const judo_json *item);
bool judo_json_is_array(const judo_json *item);
bool judo_json_is_string(const judo_json *item);
bool judo_json_is_number(const judo_json *item);
bool judo_json_is_bool(const judo_json *item);

/* Typed access to an item itself, e.g. of an array: JUDO_ERROR_FORMAT naming `source` and the
 * expected type. Integers must be exact and at most 2^53 in magnitude, here and below. */
judo_status judo_json_as_string(const judo_json *item, const char *source,
                                const char **out) JUDO_MUST_CHECK;
judo_status judo_json_as_int(const judo_json *item, const char *source,
                             int64_t *out) JUDO_MUST_CHECK;
judo_status judo_json_as_double(const judo_json *item, const char *source,
                                double *out) JUDO_MUST_CHECK;
judo_status judo_json_as_bool(const judo_json *item, const char *source,
                              bool *out) JUDO_MUST_CHECK;

/* Typed access to a member: JUDO_ERROR_FORMAT naming `source`, the key and the expected type
 * when it is missing or wrong. Strings are borrowed. */
judo_status judo_json_get_string(const judo_json *object, const char *key, const char *source,
                                 const char **out) JUDO_MUST_CHECK;
judo_status judo_json_get_int(const judo_json *object, const char *key, const char *source,
                              int64_t *out) JUDO_MUST_CHECK;
judo_status judo_json_get_double(const judo_json *object, const char *key, const char *source,
                                 double *out) JUDO_MUST_CHECK;
judo_status judo_json_get_bool(const judo_json *object, const char *key, const char *source,
                               bool *out) JUDO_MUST_CHECK;
/* The same with a default for an absent or null member; a wrong type is still an error. */
judo_status judo_json_get_int_or(const judo_json *object, const char *key, const char *source,
                                 int64_t fallback, int64_t *out) JUDO_MUST_CHECK;
judo_status judo_json_get_double_or(const judo_json *object, const char *key,
                                    const char *source, double fallback,
                                    double *out) JUDO_MUST_CHECK;
judo_status judo_json_get_bool_or(const judo_json *object, const char *key, const char *source,
                                  bool fallback, bool *out) JUDO_MUST_CHECK;
judo_status judo_json_get_string_or(const judo_json *object, const char *key,
                                    const char *source, const char *fallback,
                                    const char **out) JUDO_MUST_CHECK;

/* A growing text buffer that writes JSON; commas and quoting are its business. Append failures
 * (memory) are kept and returned by finish. */
typedef struct judo_json_writer {
    char *text;
    size_t length, capacity;
    bool need_comma, failed;
} judo_json_writer;

void judo_json_begin_object(judo_json_writer *w, const char *key_or_null);
void judo_json_end_object(judo_json_writer *w);
void judo_json_begin_array(judo_json_writer *w, const char *key_or_null);
void judo_json_end_array(judo_json_writer *w);
void judo_json_put_string(judo_json_writer *w, const char *key_or_null, const char *value);
void judo_json_put_bytes(judo_json_writer *w, const char *key_or_null, const char *value,
                         size_t length);
void judo_json_put_int(judo_json_writer *w, const char *key_or_null, int64_t value);
/* Shortest text that reads back to the same double; NaN and infinities become null. */
void judo_json_put_double(judo_json_writer *w, const char *key_or_null, double value);
/* The same for a float's own shortest text. */
void judo_json_put_float(judo_json_writer *w, const char *key_or_null, float value);
void judo_json_put_bool(judo_json_writer *w, const char *key_or_null, bool value);
void judo_json_put_null(judo_json_writer *w, const char *key_or_null);
/* Resets to an empty document, keeping the memory. */
void judo_json_writer_clear(judo_json_writer *w);
void judo_json_writer_free(judo_json_writer *w);
/* JUDO_OK, or JUDO_ERROR_MEMORY if an append failed. */
judo_status judo_json_writer_check(const judo_json_writer *w) JUDO_MUST_CHECK;

#endif
