/* data/python_dict.c: a recursive-descent parser without the recursion: the values are strings.
 */
#include "data/python_dict.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct cursor {
    const char *at;
    char *to; /* where the next decoded byte goes; decoding never grows a text */
} cursor;

static void skip_blanks(cursor *c)
{
    c->at += strspn(c->at, " \t\r\n");
}

static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    if (*c->at != wanted) {
        return false;
    }
    c->at++;
    return true;
}

static void put_utf8(cursor *c, uint32_t code)
{
    if (code < 0x80) {
        *c->to++ = (char)code;
        return;
    }
    int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *c->to++ = (char)((0xff00u >> (extra + 1) & 0xffu) | code >> (6 * extra));
    while (extra-- > 0) {
        *c->to++ = (char)(0x80u | (code >> (6 * extra) & 0x3fu));
    }
}

/* Exactly `digits` hexadecimal digits of a character that may stand in UTF-8 text. */
static bool take_code(cursor *c, int digits)
{
    uint32_t code = 0;
    for (int i = 0; i < digits; i++) {
        const char *hex = "0123456789abcdef";
        char digit = *c->at;
        digit = digit >= 'A' && digit <= 'F' ? (char)(digit - 'A' + 'a') : digit;
        const char *found = digit != '\0' ? strchr(hex, digit) : NULL;
        if (found == NULL) {
            return false;
        }
        code = code << 4 | (uint32_t)(found - hex);
        c->at++;
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return false;
    }
    put_utf8(c, code);
    return true;
}

static bool take_escape(cursor *c)
{
    char kind = *c->at;
    if (kind == '\0') {
        return false;
    }
    c->at++;
    switch (kind) {
    case '\\':
    case '\'':
    case '"':
        *c->to++ = kind;
        return true;
    case 'n':
        *c->to++ = '\n';
        return true;
    case 't':
        *c->to++ = '\t';
        return true;
    case 'r':
        *c->to++ = '\r';
        return true;
    case 'x':
        return take_code(c, 2);
    case 'u':
        return take_code(c, 4);
    case 'U':
        return take_code(c, 8);
    default:
        return false;
    }
}

static bool take_string(cursor *c, const char **out)
{
    skip_blanks(c);
    char quote = *c->at;
    if (quote != '\'' && quote != '"') {
        return false;
    }
    c->at++;
    *out = c->to;
    while (*c->at != quote) {
        if (*c->at == '\0') {
            return false;
        }
        if (*c->at != '\\') {
            *c->to++ = *c->at++;
            continue;
        }
        c->at++;
        if (!take_escape(c)) {
            return false;
        }
    }
    c->at++;
    *c->to++ = '\0';
    return true;
}

static bool take_dict(cursor *c, judo_python_dict *dict)
{
    if (!take(c, '{')) {
        return false;
    }
    while (!take(c, '}')) {
        int i = dict->count;
        if (i == JUDO_PYTHON_DICT_ENTRIES || (i > 0 && !take(c, ',')) ||
            !take_string(c, &dict->keys[i]) || !take(c, ':') ||
            !take_string(c, &dict->values[i])) {
            return false;
        }
        dict->count++;
    }
    skip_blanks(c);
    return *c->at == '\0';
}

judo_status judo_python_dict_parse(const char *text, const char *source, judo_python_dict *out)
{
    judo_python_dict dict = {.storage = malloc(strlen(text) + 1)};
    if (dict.storage == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for the options", source);
    }
    cursor c = {text, dict.storage};
    if (!take_dict(&c, &dict)) {
        free(dict.storage);
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: options are not a Python dictionary of strings: byte %lld of "
                         "%.60s; write them as {'A': 'text', ..}",
                         source, (long long)(c.at - text), text);
    }
    *out = dict;
    return JUDO_OK;
}

void judo_python_dict_free(judo_python_dict *dict)
{
    free(dict->storage);
    *dict = (judo_python_dict){0};
}
