/* runtime/config_value.c: text to typed values and back. */
#include "runtime/config_value.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/utf8.h"

enum { MAX_WORD = 128 };

bool judo_config_split(const char *list, int index, const char **part, size_t *length)
{
    while (list != NULL) {
        const char *bar = strchr(list, '|');
        if (index-- == 0) {
            *part = list;
            *length = bar ? (size_t)(bar - list) : strlen(list);
            return true;
        }
        list = bar ? bar + 1 : NULL;
    }
    return false;
}

static int min3(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int judo_config_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length >= MAX_WORD || b_length >= MAX_WORD) {
        return INT_MAX;
    }
    int rows[3][MAX_WORD + 1]; /* before the last, last, current */
    int *older = rows[0];
    int *last = rows[1];
    int *row = rows[2];
    for (size_t j = 0; j <= b_length; j++) {
        last[j] = (int)j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min3(row[j], older[j - 2] + 1, INT_MAX);
            }
        }
        int *freed = older;
        older = last;
        last = row;
        row = freed;
    }
    return last[b_length];
}

const char *judo_config_type_name(const judo_config_field *field)
{
    switch (field->type) {
    case JUDO_CONFIG_INT:
        return "int";
    case JUDO_CONFIG_FLOAT:
        return "float";
    case JUDO_CONFIG_BOOL:
        return "bool";
    case JUDO_CONFIG_STRING:
        return "string";
    case JUDO_CONFIG_CHOICE:
        return field->choices;
    }
    return "?";
}

static judo_status fail_type(const judo_config_field *field, const char *text, bool quoted,
                             const char *place)
{
    static const char *const expected[] = {
        [JUDO_CONFIG_INT] = "an integer",
        [JUDO_CONFIG_FLOAT] = "a number",
        [JUDO_CONFIG_BOOL] = "true or false",
    };
    const char *quote = quoted ? "\"" : "'";
    return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' must be %s, not %s%.80s%s", place, field->key,
                     expected[field->type], quote, text, quote);
}

static judo_status check_range(const judo_config_field *field, double value, const char *text,
                               const char *place)
{
    bool bounded =
        field->minimum < 0 || field->minimum > 0 || field->maximum < 0 || field->maximum > 0;
    if (bounded && !(value >= field->minimum && value <= field->maximum)) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' must be in [%g, %g], not %.80s", place,
                         field->key, field->minimum, field->maximum, text);
    }
    return JUDO_OK;
}

static judo_status parse_int(const judo_config_field *field, const char *text, bool quoted,
                             const char *place, judo_config_value *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool starts_well = text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
    if (quoted || !starts_well || *end != '\0' || errno == ERANGE ||
        text[strlen(text) - 1] == '-') {
        return fail_type(field, text, quoted, place);
    }
    JUDO_TRY(check_range(field, (double)value, text, place));
    out->integer = value;
    return JUDO_OK;
}

static judo_status parse_float(const judo_config_field *field, const char *text, bool quoted,
                               const char *place, judo_config_value *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    /* The character set keeps out hexadecimal, infinities, NaN and spaces. */
    if (quoted || text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text) ||
        *end != '\0' || !isfinite(value)) {
        return fail_type(field, text, quoted, place);
    }
    JUDO_TRY(check_range(field, value, text, place));
    out->number = value;
    return JUDO_OK;
}

static judo_status parse_bool(const judo_config_field *field, const char *text, bool quoted,
                              const char *place, judo_config_value *out)
{
    bool is_true = strcasecmp(text, "true") == 0;
    if (quoted || (!is_true && strcasecmp(text, "false") != 0)) {
        return fail_type(field, text, quoted, place);
    }
    out->integer = is_true;
    return JUDO_OK;
}

static judo_status parse_choice(const judo_config_field *field, const char *text,
                                const char *place, judo_config_value *out)
{
    const char *choice = NULL;
    size_t length = 0;
    for (int i = 0; judo_config_split(field->choices, i, &choice, &length); i++) {
        if (strlen(text) == length && memcmp(text, choice, length) == 0) {
            out->integer = i;
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' must be one of %s, not '%.80s'", place,
                     field->key, field->choices, text);
}

/* Whether YAML could carry the character literally (line feed and tab are escaped). */
static bool is_writable(const unsigned char *at, size_t length)
{
    if (length == 1) {
        return (*at >= 0x20 && *at != 0x7F) || *at == '\n' || *at == '\t';
    }
    bool control = at[0] == 0xC2 && at[1] < 0xA0;
    bool mark = length == 3 &&
                (memcmp(at, "\xEF\xBB\xBF", 3) == 0 || memcmp(at, "\xEF\xBF\xBE", 3) == 0 ||
                 memcmp(at, "\xEF\xBF\xBF", 3) == 0);
    return !control && !mark;
}

static judo_status check_text(const judo_config_field *field, const char *text,
                              const char *place)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + strlen(text);
    while (at < end) {
        size_t length = judo_utf8_length(at, end);
        if (length == 0 || !is_writable(at, length)) {
            return JUDO_FAIL(JUDO_ERROR_CONFIG,
                             "%s: '%s': byte 0x%02x is not printable UTF-8 text", place,
                             field->key, *at);
        }
        at += length;
    }
    return JUDO_OK;
}

/* Reads "{NAME}" at `at`, behind the '$'; the value is borrowed from the environment. */
static judo_status look_up(const judo_config_field *field, const char *at, const char *place,
                           const char **value, size_t *consumed)
{
    const char *end = strchr(at, '}');
    char name[MAX_WORD];
    size_t length = end == NULL ? 0 : (size_t)(end - at) - 1;
    if (length == 0 || length >= sizeof name) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "%s: '%s': '${' without a name and '}' (write '$${' "
                         "for the characters themselves)",
                         place, field->key);
    }
    memcpy(name, at + 1, length);
    name[length] = '\0';
    *value = getenv(name);
    if (*value == NULL) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "%s: '%s': the environment variable '%s' is not set", place,
                         field->key, name);
    }
    *consumed = length + 2;
    return JUDO_OK;
}

static judo_status parse_string(const judo_config_field *field, const char *text,
                                const char *place, judo_config_value *out)
{
    size_t used = 0;
    while (*text != '\0') {
        const char *piece = text;
        size_t consumed = 1;
        size_t length = 1;
        if (strncmp(text, "$${", 3) == 0) {
            piece = text + 1;
            consumed = 3;
            length = 2;
        } else if (strncmp(text, "${", 2) == 0) {
            JUDO_TRY(look_up(field, text + 1, place, &piece, &consumed));
            consumed += 1;
            length = strlen(piece);
        }
        if (length >= sizeof out->text - used) {
            return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: '%s' is longer than %zu bytes", place,
                             field->key, sizeof out->text - 1);
        }
        memcpy(out->text + used, piece, length);
        used += length;
        text += consumed;
    }
    out->text[used] = '\0';
    return check_text(field, out->text, place);
}

judo_status judo_config_value_parse(const judo_config_field *field, const char *text,
                                    bool quoted, const char *place, judo_config_value *out)
{
    switch (field->type) {
    case JUDO_CONFIG_INT:
        return parse_int(field, text, quoted, place, out);
    case JUDO_CONFIG_FLOAT:
        return parse_float(field, text, quoted, place, out);
    case JUDO_CONFIG_BOOL:
        return parse_bool(field, text, quoted, place, out);
    case JUDO_CONFIG_CHOICE:
        return parse_choice(field, text, place, out);
    case JUDO_CONFIG_STRING: {
        bool is_null = !quoted && (strcmp(text, "null") == 0 || strcmp(text, "~") == 0);
        return parse_string(field, is_null ? "" : text, place, out);
    }
    }
    return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: '%s' has no type", place, field->key);
}

void judo_config_value_store(const judo_config_field *field, const judo_config_value *value,
                             void *target)
{
    char *member = (char *)target + field->offset;
    switch (field->type) {
    case JUDO_CONFIG_INT:
        memcpy(member, &value->integer, sizeof value->integer);
        break;
    case JUDO_CONFIG_FLOAT:
        memcpy(member, &value->number, sizeof value->number);
        break;
    case JUDO_CONFIG_BOOL:
        *(bool *)member = value->integer != 0;
        break;
    case JUDO_CONFIG_STRING:
        memcpy(member, value->text, sizeof value->text);
        break;
    case JUDO_CONFIG_CHOICE:
        *(int *)(void *)member = (int)value->integer;
        break;
    }
}

/* In double quotes, which JSON and YAML share; "${" is escaped, for it is resolved already. */
static void write_string(const char *text, judo_json_writer *out)
{
    char escaped[2 * JUDO_CONFIG_STRING_BYTES];
    size_t used = 0;
    for (; *text != '\0'; text++) {
        if (strncmp(text, "${", 2) == 0) {
            escaped[used++] = '$';
        }
        escaped[used++] = *text;
    }
    judo_json_put_bytes(out, NULL, escaped, used);
}

static void write_choice(const judo_config_field *field, int index, judo_json_writer *out)
{
    const char *choice = "";
    size_t length = 0;
    (void)judo_config_split(field->choices, index, &choice, &length);
    judo_json_put_bytes(out, NULL, choice, length);
}

void judo_config_value_write(const judo_config_field *field, const void *target,
                             judo_json_writer *out)
{
    const char *member = (const char *)target + field->offset;
    int64_t integer = 0;
    double number = 0;
    switch (field->type) {
    case JUDO_CONFIG_INT:
        memcpy(&integer, member, sizeof integer);
        judo_json_put_int(out, NULL, integer);
        break;
    case JUDO_CONFIG_FLOAT:
        memcpy(&number, member, sizeof number);
        judo_json_put_double(out, NULL, number);
        break;
    case JUDO_CONFIG_BOOL:
        judo_json_put_bool(out, NULL, *(const bool *)member);
        break;
    case JUDO_CONFIG_STRING:
        write_string(member, out);
        break;
    case JUDO_CONFIG_CHOICE:
        write_choice(field, *(const int *)(const void *)member, out);
        break;
    }
}
