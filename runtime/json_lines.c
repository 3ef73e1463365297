/* runtime/json_lines.c: files of one JSON document per line. */
#include "runtime/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_line_bytes = (size_t)64 << 20;

typedef struct line_buffer {
    char *text;
    size_t length, capacity;
} line_buffer;

static judo_status append(line_buffer *line, char c, const char *place)
{
    if (line->length == max_line_bytes) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: the line is longer than %zu bytes", place,
                         max_line_bytes);
    }
    if (line->length == line->capacity) {
        size_t capacity = line->capacity ? 2 * line->capacity : 4096;
        char *grown = realloc(line->text, capacity);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a line of %zu bytes", place,
                             capacity);
        }
        line->text = grown;
        line->capacity = capacity;
    }
    line->text[line->length++] = c;
    return JUDO_OK;
}

/* Reads one line without its end; `more` becomes false at the end of the stream. */
static judo_status read_line(FILE *stream, line_buffer *line, const char *place, bool *more)
{
    line->length = 0;
    int c = getc_unlocked(stream);
    while (c != EOF && c != '\n') {
        JUDO_TRY(append(line, (char)c, place));
        c = getc_unlocked(stream);
    }
    if (c == EOF && ferror(stream)) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot read: %s", place, strerror(errno));
    }
    *more = c != EOF;
    return JUDO_OK;
}

static bool is_blank(const line_buffer *line)
{
    for (size_t i = 0; i < line->length; i++) {
        if (strchr(" \t\r", line->text[i]) == NULL || line->text[i] == '\0') {
            return false;
        }
    }
    return true;
}

judo_status judo_json_each_line_of(FILE *stream, const char *source, judo_json_row row,
                                   void *context)
{
    line_buffer line = {0};
    judo_status status = JUDO_OK;
    bool more = true;
    for (int64_t number = 1; more; number++) {
        char place[1024];
        (void)snprintf(place, sizeof place, "%s:%lld", source, (long long)number);
        JUDO_TRY_GOTO(status, done, read_line(stream, &line, place, &more));
        if (is_blank(&line)) {
            continue;
        }
        judo_json *document = NULL;
        JUDO_TRY_GOTO(status, done, judo_json_parse(line.text, line.length, place, &document));
        status = row(context, document, number);
        judo_json_free(&document);
        if (status != JUDO_OK) {
            break;
        }
    }
done:
    free(line.text);
    return status;
}

judo_status judo_json_each_line(const char *path, judo_json_row row, void *context)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    }
    judo_status status = judo_json_each_line_of(stream, path, row, context);
    (void)fclose(stream);
    return status;
}
