/* data/buffers.c: growable runs of bytes and of 32-bit ids. */
#include "data/buffers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

judo_status judo_text_reserve(judo_text *text, size_t extra)
{
    if (extra >= SIZE_MAX / 4 - text->length) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "text buffer: cannot grow by %zu bytes", extra);
    }
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity) {
        return JUDO_OK;
    }
    size_t capacity = text->capacity * 2 > needed ? text->capacity * 2 : needed;
    capacity = capacity < 32 ? 32 : capacity;
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "text buffer: no memory for %zu bytes", capacity);
    }
    text->bytes = bytes;
    text->capacity = capacity;
    text->bytes[text->length] = '\0';
    return JUDO_OK;
}

judo_status judo_text_append(judo_text *text, const char *bytes, size_t length)
{
    JUDO_TRY(judo_text_reserve(text, length));
    if (length > 0) {
        memcpy(text->bytes + text->length, bytes, length);
    }
    text->length += length;
    text->bytes[text->length] = '\0';
    return JUDO_OK;
}

judo_status judo_text_append_string(judo_text *text, const char *string)
{
    return judo_text_append(text, string, strlen(string));
}

judo_status judo_text_append_format(judo_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    judo_status status = JUDO_OK;
    if (length < 0) {
        status = JUDO_FAIL(JUDO_ERROR_INTERNAL, "text buffer: cannot format \"%s\"", format);
    } else {
        status = judo_text_reserve(text, (size_t)length);
    }
    if (status == JUDO_OK) {
        (void)vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    return status;
}

void judo_text_clear(judo_text *text)
{
    text->length = 0;
    if (text->bytes != NULL) {
        text->bytes[0] = '\0';
    }
}

void judo_text_free(judo_text *text)
{
    free(text->bytes);
    *text = (judo_text){0};
}

judo_status judo_ids_reserve(judo_ids *ids, int64_t extra)
{
    if (extra < 0 || extra > INT64_MAX / 16 - ids->count) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "id buffer: cannot grow by %lld ids",
                         (long long)extra);
    }
    int64_t needed = ids->count + extra;
    if (needed <= ids->capacity) {
        return JUDO_OK;
    }
    int64_t capacity = ids->capacity * 2 > needed ? ids->capacity * 2 : needed;
    capacity = capacity < 16 ? 16 : capacity;
    int32_t *grown = realloc(ids->ids, (size_t)capacity * sizeof *grown);
    if (grown == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "id buffer: no memory for %lld ids",
                         (long long)capacity);
    }
    ids->ids = grown;
    ids->capacity = capacity;
    return JUDO_OK;
}

judo_status judo_ids_append(judo_ids *ids, int32_t id)
{
    JUDO_TRY(judo_ids_reserve(ids, 1));
    ids->ids[ids->count++] = id;
    return JUDO_OK;
}

judo_status judo_ids_append_many(judo_ids *ids, const int32_t *more, int64_t count)
{
    JUDO_TRY(judo_ids_reserve(ids, count));
    if (count > 0) {
        memcpy(ids->ids + ids->count, more, (size_t)count * sizeof *more);
        ids->count += count;
    }
    return JUDO_OK;
}

judo_status judo_ids_append_run(judo_ids *ids, int32_t id, int64_t count)
{
    JUDO_TRY(judo_ids_reserve(ids, count));
    for (int64_t i = 0; i < count; i++) {
        ids->ids[ids->count++] = id;
    }
    return JUDO_OK;
}

void judo_ids_clear(judo_ids *ids)
{
    ids->count = 0;
}

void judo_ids_free(judo_ids *ids)
{
    free(ids->ids);
    *ids = (judo_ids){0};
}
