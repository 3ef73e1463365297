/* runtime/json_write.c: a growing buffer of JSON text. */
#include "runtime/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/utf8.h"

static void append(judo_json_writer *w, const char *text, size_t length)
{
    if (w->failed) {
        return;
    }
    if (length >= SIZE_MAX / 4 - w->length) {
        w->failed = true;
        return;
    }
    if (w->length + length + 1 > w->capacity) {
        size_t capacity = 2 * (w->length + length) + 256;
        char *grown = realloc(w->text, capacity);
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        w->text = grown;
        w->capacity = capacity;
    }
    memcpy(w->text + w->length, text, length);
    w->length += length;
    w->text[w->length] = '\0';
}

static void append_escape(judo_json_writer *w, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *found = strchr(from, c);
    char text[8];
    int length = found ? snprintf(text, sizeof text, "\\%c", to[found - from])
                       : snprintf(text, sizeof text, "\\u%04x", c);
    append(w, text, (size_t)length);
}

/* Bytes that are not UTF-8, and NUL, become U+FFFD: what is written always reads back. */
static void append_quoted(judo_json_writer *w, const char *value, size_t length)
{
    const unsigned char *at = (const unsigned char *)value;
    const unsigned char *end = at + length;
    const unsigned char *run = at;
    append(w, "\"", 1);
    while (at < end) {
        size_t bytes = judo_utf8_length(at, end);
        if (bytes > 0 && *at >= 0x20 && *at != '"' && *at != '\\') {
            at += bytes;
            continue;
        }
        append(w, (const char *)run, (size_t)(at - run));
        if (bytes == 0 || *at == 0) {
            append(w, "\xEF\xBF\xBD", 3);
            at += bytes == 0 ? judo_utf8_broken_length(at, end) : 1;
        } else {
            append_escape(w, *at++);
        }
        run = at;
    }
    append(w, (const char *)run, (size_t)(at - run));
    append(w, "\"", 1);
}

static void put_raw(judo_json_writer *w, const char *key, const char *text, size_t length)
{
    if (w->need_comma) {
        append(w, ",", 1);
    }
    if (key != NULL) {
        append_quoted(w, key, strlen(key));
        append(w, ":", 1);
    }
    append(w, text, length);
    w->need_comma = true;
}

void judo_json_begin_object(judo_json_writer *w, const char *key_or_null)
{
    put_raw(w, key_or_null, "{", 1);
    w->need_comma = false;
}

void judo_json_end_object(judo_json_writer *w)
{
    append(w, "}", 1);
    w->need_comma = true;
}

void judo_json_begin_array(judo_json_writer *w, const char *key_or_null)
{
    put_raw(w, key_or_null, "[", 1);
    w->need_comma = false;
}

void judo_json_end_array(judo_json_writer *w)
{
    append(w, "]", 1);
    w->need_comma = true;
}

void judo_json_put_bytes(judo_json_writer *w, const char *key_or_null, const char *value,
                         size_t length)
{
    put_raw(w, key_or_null, "", 0);
    append_quoted(w, value, length);
}

void judo_json_put_string(judo_json_writer *w, const char *key_or_null, const char *value)
{
    if (value == NULL) {
        judo_json_put_null(w, key_or_null);
        return;
    }
    judo_json_put_bytes(w, key_or_null, value, strlen(value));
}

void judo_json_put_int(judo_json_writer *w, const char *key_or_null, int64_t value)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRId64, value);
    put_raw(w, key_or_null, text, (size_t)length);
}

/* The first precision that reads back. Below the `sure` digits of the type every shorter
 * decimal shows up as itself, except among subnormals, which start at one digit. */
static void put_shortest(judo_json_writer *w, const char *key, double value, bool is_float)
{
    if (!isfinite(value)) {
        judo_json_put_null(w, key);
        return;
    }
    bool subnormal = fabs(value) < (is_float ? (double)FLT_MIN : DBL_MIN);
    int sure = is_float ? FLT_DIG : DBL_DIG;
    int digits = subnormal ? 1 : sure;
    char text[40];
    int length = 0;
    for (;; digits++) {
        length = snprintf(text, sizeof text, "%.*g", digits, value);
        double back = is_float ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (back == value || digits > DBL_DIG + 2) {
            break;
        }
    }
    put_raw(w, key, text, (size_t)length);
}

void judo_json_put_double(judo_json_writer *w, const char *key_or_null, double value)
{
    put_shortest(w, key_or_null, value, false);
}

void judo_json_put_float(judo_json_writer *w, const char *key_or_null, float value)
{
    put_shortest(w, key_or_null, (double)value, true);
}

void judo_json_put_bool(judo_json_writer *w, const char *key_or_null, bool value)
{
    put_raw(w, key_or_null, value ? "true" : "false", value ? 4 : 5);
}

void judo_json_put_null(judo_json_writer *w, const char *key_or_null)
{
    put_raw(w, key_or_null, "null", 4);
}

void judo_json_writer_clear(judo_json_writer *w)
{
    w->length = 0;
    w->need_comma = false;
    w->failed = false;
    if (w->text != NULL) {
        w->text[0] = '\0';
    }
}

void judo_json_writer_free(judo_json_writer *w)
{
    free(w->text);
    *w = (judo_json_writer){0};
}

judo_status judo_json_writer_check(const judo_json_writer *w)
{
    if (w->failed) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for JSON text beyond %zu bytes",
                         w->length);
    }
    return JUDO_OK;
}
