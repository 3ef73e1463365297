/* runtime/config_yaml.c: libyaml's events, flattened. */
#include "runtime/config_yaml.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <yaml.h>

#include "runtime/file.h"

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 16, MAX_KEYS = 4096, MAX_KEY_BYTES = 256 };

/* A key that was seen, to find its repetition within the same mapping. */
typedef struct seen_key {
    int mapping, line;
    char *name;
} seen_key;

typedef struct flattener {
    const char *source;
    yaml_parser_t parser;
    judo_yaml_list list;
    seen_key *seen;
    int num_seen, num_mappings;
    char path[MAX_KEY_BYTES * 2];
} flattener;

static judo_status fail_at_mark(const flattener *f, yaml_mark_t mark, const char *what)
{
    return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s:%zu:%zu: %s", f->source, mark.line + 1,
                     mark.column + 1, what);
}

static judo_status next_event(flattener *f, yaml_event_t *event)
{
    if (yaml_parser_parse(&f->parser, event)) {
        return JUDO_OK;
    }
    const char *problem = f->parser.problem ? f->parser.problem : "unknown problem";
    switch (f->parser.error) {
    case YAML_MEMORY_ERROR:
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory to parse YAML", f->source);
    case YAML_READER_ERROR:
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: byte %zu: not valid YAML: %s", f->source,
                         f->parser.problem_offset, problem);
    default:
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s:%zu:%zu: not valid YAML: %s", f->source,
                         f->parser.problem_mark.line + 1, f->parser.problem_mark.column + 1,
                         problem);
    }
}

/* Refuses what has no meaning in a configuration, wherever it stands. */
static judo_status check_event(const flattener *f, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_at_mark(f, event->start_mark, "YAML aliases are not supported");
    case YAML_SEQUENCE_START_EVENT:
        return fail_at_mark(f, event->start_mark, "expected a value, found a list");
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default:
        return JUDO_OK;
    }
    if (anchor != NULL) {
        return fail_at_mark(f, event->start_mark, "YAML anchors are not supported");
    }
    if (tag != NULL) {
        return fail_at_mark(f, event->start_mark, "YAML tags are not supported");
    }
    return JUDO_OK;
}

static judo_status remember_key(flattener *f, int mapping, const char *name, yaml_mark_t mark)
{
    for (int i = 0; i < f->num_seen; i++) {
        if (f->seen[i].mapping == mapping && strcmp(f->seen[i].name, name) == 0) {
            return JUDO_FAIL(JUDO_ERROR_CONFIG,
                             "%s:%zu:%zu: key '%s' is repeated; it stands in line %d already",
                             f->source, mark.line + 1, mark.column + 1, name, f->seen[i].line);
        }
    }
    if (f->num_seen == MAX_KEYS) {
        return fail_at_mark(f, mark, "too many keys");
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a key", f->source);
    }
    f->seen[f->num_seen++] = (seen_key){mapping, (int)mark.line + 1, copy};
    return JUDO_OK;
}

/* Appends the current path with `text` (NULL for an empty mapping). */
static judo_status add_entry(flattener *f, const char *text, bool quoted, yaml_mark_t mark)
{
    judo_yaml_list *list = &f->list;
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 64;
        void *grown = realloc(list->entries, (size_t)capacity * sizeof *list->entries);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for keys", f->source);
        }
        list->entries = grown;
        list->capacity = capacity;
    }
    judo_yaml_entry entry = {.key = strdup(f->path),
                             .text = text ? strdup(text) : NULL,
                             .quoted = quoted,
                             .line = (int)mark.line + 1,
                             .column = (int)mark.column + 1};
    if (entry.key == NULL || (text != NULL && entry.text == NULL)) {
        free(entry.key);
        free(entry.text);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a key", f->source);
    }
    list->entries[list->count++] = entry;
    return JUDO_OK;
}

static judo_status add_scalar(flattener *f, const yaml_event_t *event, yaml_mark_t mark)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return fail_at_mark(f, event->start_mark, "NUL in a value");
    }
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return add_entry(f, text, quoted, mark);
}

static judo_status flatten_mapping(flattener *f, int depth, yaml_mark_t mark);

/* One key (already in `key`) and its value. */
static judo_status flatten_member(flattener *f, int depth, int mapping, const yaml_event_t *key)
{
    if (key->type != YAML_SCALAR_EVENT) {
        return fail_at_mark(f, key->start_mark, "a key must be plain text");
    }
    const char *name = (const char *)key->data.scalar.value;
    size_t length = strlen(f->path);
    if (name[0] == '\0' || strlen(name) != key->data.scalar.length ||
        length + 1 + strlen(name) > MAX_KEY_BYTES) {
        return fail_at_mark(f, key->start_mark, "a key is empty or too long");
    }
    JUDO_TRY(remember_key(f, mapping, name, key->start_mark));
    (void)snprintf(f->path + length, sizeof f->path - length, "%s%s", length ? "." : "", name);
    yaml_event_t value;
    JUDO_TRY(next_event(f, &value));
    judo_status status = check_event(f, &value);
    if (status == JUDO_OK && value.type == YAML_SCALAR_EVENT) {
        status = add_scalar(f, &value, key->start_mark);
    } else if (status == JUDO_OK) {
        status = flatten_mapping(f, depth + 1, key->start_mark);
    }
    yaml_event_delete(&value);
    f->path[length] = '\0';
    return status;
}

/* Called behind a mapping's start; consumes it with its end. */
static judo_status flatten_mapping(flattener *f, int depth, yaml_mark_t mark)
{
    if (depth > MAX_DEPTH) {
        return fail_at_mark(f, mark, "nested too deeply");
    }
    int mapping = f->num_mappings++;
    for (int members = 0;; members++) {
        yaml_event_t key;
        JUDO_TRY(next_event(f, &key));
        bool end = key.type == YAML_MAPPING_END_EVENT;
        judo_status status = check_event(f, &key);
        if (status == JUDO_OK && !end) {
            status = flatten_member(f, depth, mapping, &key);
        }
        yaml_event_delete(&key);
        JUDO_TRY(status);
        if (end) {
            return members == 0 && depth > 0 ? add_entry(f, NULL, false, mark) : JUDO_OK;
        }
    }
}

/* Only the outermost events come here: stream and document ends, and the root. */
static judo_status flatten_stream(flattener *f)
{
    bool done = false;
    int documents = 0;
    while (!done) {
        yaml_event_t event;
        JUDO_TRY(next_event(f, &event));
        judo_status status = check_event(f, &event);
        if (status == JUDO_OK && event.type == YAML_MAPPING_START_EVENT) {
            status = flatten_mapping(f, 0, event.start_mark);
        } else if (status == JUDO_OK && event.type == YAML_SCALAR_EVENT &&
                   event.data.scalar.length > 0) {
            status = fail_at_mark(f, event.start_mark, "expected 'key: value' lines");
        } else if (status == JUDO_OK && event.type == YAML_DOCUMENT_START_EVENT &&
                   ++documents > 1) {
            status = fail_at_mark(f, event.start_mark, "more than one YAML document");
        }
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        JUDO_TRY(status);
    }
    return JUDO_OK;
}

judo_status judo_yaml_parse(const char *text, size_t length, const char *source,
                            judo_yaml_list *out)
{
    flattener f = {.source = source};
    f.seen = calloc(MAX_KEYS, sizeof *f.seen);
    if (f.seen == NULL || !yaml_parser_initialize(&f.parser)) {
        free(f.seen);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory to parse YAML", source);
    }
    yaml_parser_set_encoding(&f.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&f.parser, (const unsigned char *)text, length);
    judo_status status = flatten_stream(&f);
    yaml_parser_delete(&f.parser);
    for (int i = 0; i < f.num_seen; i++) {
        free(f.seen[i].name);
    }
    free(f.seen);
    if (status != JUDO_OK) {
        judo_yaml_free(&f.list);
        return status;
    }
    *out = f.list;
    return JUDO_OK;
}

judo_status judo_yaml_load(const char *path, judo_yaml_list *out)
{
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, MAX_BYTES, &text, &length));
    judo_status status = judo_yaml_parse(text, length, path, out);
    free(text);
    return status;
}

void judo_yaml_free(judo_yaml_list *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->entries[i].key);
        free(list->entries[i].text);
    }
    free(list->entries);
    *list = (judo_yaml_list){0};
}
