/* runtime/json_scan.c: a strict, iterative JSON checker. */
#include "runtime/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "runtime/utf8.h"

enum { MAX_NUMBER_BYTES = 63 }; /* what the tree builder reads of a number */

typedef struct scanner {
    const unsigned char *text, *at, *end;
    const char *source;
    const judo_json_limits *limits;
    int depth;
    int64_t num_values, num_top_members;
    char open[JUDO_JSON_MAX_DEPTH]; /* the brackets that wait for their end */
} scanner;

static judo_status fail_here(const scanner *s, const char *what)
{
    size_t line = 1;
    for (const unsigned char *p = s->text; p < s->at; p++) {
        line += *p == '\n';
    }
    char found[24] = "the end";
    if (s->at < s->end) {
        bool plain = *s->at > 0x20 && *s->at < 0x7F;
        (void)snprintf(found, sizeof found, plain ? "'%c'" : "byte 0x%02x", *s->at);
    }
    return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: line %zu, byte %zu: %s, found %s", s->source, line,
                     (size_t)(s->at - s->text), what, found);
}

static void skip_space(scanner *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) {
        s->at++;
    }
}

static bool peek(const scanner *s, unsigned char c)
{
    return s->at < s->end && *s->at == c;
}

/* The value of four hexadecimal digits, or -1. */
static int hex4(const scanner *s, const unsigned char *at)
{
    if (s->end - at < 4) {
        return -1;
    }
    int value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static judo_status scan_unicode_escape(scanner *s)
{
    int code = hex4(s, s->at + 2);
    if (code < 0) {
        return fail_here(s, "expected four hexadecimal digits after \\u");
    }
    if (code == 0) {
        return fail_here(s, "\\u0000 is not allowed in text");
    }
    bool is_low = code >= 0xDC00 && code <= 0xDFFF;
    bool is_high = code >= 0xD800 && code <= 0xDBFF;
    int low = -1;
    if (is_high && s->end - s->at >= 12 && s->at[6] == '\\' && s->at[7] == 'u') {
        low = hex4(s, s->at + 8);
    }
    if (is_low || (is_high && (low < 0xDC00 || low > 0xDFFF))) {
        return fail_here(s, "lone surrogate in a \\u escape");
    }
    s->at += is_high ? 12 : 6;
    return JUDO_OK;
}

static judo_status scan_string(scanner *s)
{
    s->at++;
    while (s->at < s->end && *s->at != '"') {
        if (*s->at == '\\') {
            unsigned char next = s->end - s->at > 1 ? s->at[1] : 0;
            if (next == 'u') {
                JUDO_TRY(scan_unicode_escape(s));
            } else if (next != 0 && strchr("\"\\/bfnrt", next) != NULL) {
                s->at += 2;
            } else {
                return fail_here(s, "unknown escape in a string");
            }
            continue;
        }
        size_t length = *s->at < 0x20 ? 0 : judo_utf8_length(s->at, s->end);
        if (length == 0) {
            return fail_here(s, *s->at < 0x20 ? "control character in a string"
                                              : "invalid UTF-8 in a string");
        }
        s->at += length;
    }
    if (s->at == s->end) {
        return fail_here(s, "unterminated string");
    }
    s->at++;
    return JUDO_OK;
}

static size_t skip_digits(scanner *s)
{
    const unsigned char *first = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') {
        s->at++;
    }
    return (size_t)(s->at - first);
}

static judo_status scan_number(scanner *s)
{
    const unsigned char *first = s->at;
    s->at += peek(s, '-');
    bool leading_zero = peek(s, '0');
    size_t digits = skip_digits(s);
    if (digits == 0) {
        return fail_here(s, "expected a value");
    }
    if (leading_zero && digits > 1) {
        return fail_here(s, "a number must not start with 0");
    }
    if (peek(s, '.')) {
        s->at++;
        if (skip_digits(s) == 0) {
            return fail_here(s, "expected digits after the decimal point");
        }
    }
    if (peek(s, 'e') || peek(s, 'E')) {
        s->at++;
        s->at += peek(s, '+') || peek(s, '-');
        if (skip_digits(s) == 0) {
            return fail_here(s, "expected digits in the exponent");
        }
    }
    if (s->at - first > MAX_NUMBER_BYTES) {
        return fail_here(s, "a number of more than 63 characters");
    }
    return JUDO_OK;
}

static judo_status scan_literal(scanner *s)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(literals[i]);
        if ((size_t)(s->end - s->at) >= length && memcmp(s->at, literals[i], length) == 0) {
            s->at += length;
            return JUDO_OK;
        }
    }
    return scan_number(s);
}

static judo_status scan_key(scanner *s)
{
    if (!peek(s, '"')) {
        return fail_here(s, "expected a key in quotes");
    }
    s->num_top_members += s->depth == 1;
    if (s->num_top_members > s->limits->max_top_members) {
        return fail_here(s, "too many members in the outermost object");
    }
    JUDO_TRY(scan_string(s));
    skip_space(s);
    if (!peek(s, ':')) {
        return fail_here(s, "expected ':' after a key");
    }
    s->at++;
    return JUDO_OK;
}

typedef enum expectation { VALUE, KEY, AFTER_VALUE } expectation;

static judo_status scan_open(scanner *s, expectation *next)
{
    if (s->depth == s->limits->max_depth) {
        return fail_here(s, "nested too deeply");
    }
    char closer = *s->at == '{' ? '}' : ']';
    s->open[s->depth++] = closer;
    s->at++;
    skip_space(s);
    *next = closer == '}' ? KEY : VALUE;
    if (peek(s, (unsigned char)closer)) {
        s->at++;
        s->depth--;
        *next = AFTER_VALUE;
    }
    return JUDO_OK;
}

static judo_status scan_value(scanner *s, expectation *next)
{
    if (++s->num_values > s->limits->max_values) {
        return fail_here(s, "too many values");
    }
    *next = AFTER_VALUE;
    if (peek(s, '{') || peek(s, '[')) {
        return scan_open(s, next);
    }
    return peek(s, '"') ? scan_string(s) : scan_literal(s);
}

static judo_status scan_after(scanner *s, expectation *next)
{
    char closer = s->open[s->depth - 1];
    if (peek(s, ',')) {
        s->at++;
        *next = closer == '}' ? KEY : VALUE;
        return JUDO_OK;
    }
    if (!peek(s, (unsigned char)closer)) {
        return fail_here(s, closer == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    s->at++;
    s->depth--;
    return JUDO_OK;
}

judo_status judo_json_scan(const char *text, size_t length, const char *source,
                           const judo_json_limits *limits)
{
    const unsigned char *bytes = (const unsigned char *)text;
    scanner s = {
        .text = bytes, .at = bytes, .end = bytes + length, .source = source, .limits = limits};
    expectation next = VALUE;
    do {
        skip_space(&s);
        switch (next) {
        case VALUE:
            JUDO_TRY(scan_value(&s, &next));
            break;
        case KEY:
            JUDO_TRY(scan_key(&s));
            next = VALUE;
            break;
        case AFTER_VALUE:
            JUDO_TRY(scan_after(&s, &next));
            break;
        }
    } while (s.depth > 0 || next != AFTER_VALUE);
    skip_space(&s);
    if (s.at != s.end) {
        return fail_here(&s, "expected the end of the document");
    }
    return JUDO_OK;
}

static const char *skip_any(const char *at, const char *end, const char *bytes)
{
    while (at < end && *at != '\0' && strchr(bytes, *at) != NULL) {
        at++;
    }
    return at;
}

static const char *end_of_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at < end ? at + 1 : end;
}

static const char *end_of_value(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = end_of_string(at, end);
        } else if (depth == 0 && strchr(",}] \t\r\n", c) != NULL) {
            return at;
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            at++;
        }
    }
    return end;
}

bool judo_json_next_member(const char *text, size_t length, size_t *cursor,
                           judo_json_slice *key, judo_json_slice *value)
{
    const char *end = text + length;
    const char *at = text + *cursor;
    if (*cursor == 0) {
        at = skip_any(at, end, " \t\r\n");
        if (at == end || *at != '{') {
            return false;
        }
        at++;
    }
    at = skip_any(at, end, " \t\r\n,");
    if (at == end || *at != '"') {
        return false;
    }
    const char *key_end = end_of_string(at, end);
    *key = (judo_json_slice){at, (size_t)(key_end - at)};
    at = skip_any(key_end, end, " \t\r\n:");
    const char *value_end = end_of_value(at, end);
    *value = (judo_json_slice){at, (size_t)(value_end - at)};
    *cursor = (size_t)(value_end - text);
    return true;
}
