/* runtime/json_scan.h: a strict check of JSON text (RFC 8259) that allocates nothing, made
 * before the lenient tree builder sees the text. */
#ifndef JUDO_RUNTIME_JSON_SCAN_H
#define JUDO_RUNTIME_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_JSON_MAX_DEPTH = 64 };

typedef struct judo_json_limits {
    int max_depth;           /* at most JUDO_JSON_MAX_DEPTH */
    int64_t max_values;      /* values of any kind, at any depth */
    int64_t max_top_members; /* members of the outermost object */
} judo_json_limits;

/* JUDO_ERROR_FORMAT "SOURCE: line L, byte B: ..." for anything but one well-formed value in
 * valid UTF-8 within the limits; \u0000 and lone surrogates are refused too. */
judo_status judo_json_scan(const char *text, size_t length, const char *source,
                           const judo_json_limits *limits) JUDO_MUST_CHECK;

typedef struct judo_json_slice {
    const char *text;
    size_t length;
} judo_json_slice;

/* Walks the members of the outermost object of text that judo_json_scan accepted, so that a
 * large object need not become one tree: `key` (with its quotes) and `value` are documents of
 * their own. `cursor` starts at 0. False at the end and for anything but an object. */
bool judo_json_next_member(const char *text, size_t length, size_t *cursor,
                           judo_json_slice *key, judo_json_slice *value);

#endif
