/* data/question_format.c: a question with its options, laid out as data sets and peers do. */
#include <stdio.h>
#include <string.h>

#include "data/prompts.h"
#include "data/unicode.h"

static judo_status append_escaped(int32_t point, char quote, judo_text *out)
{
    if (point == quote || point == '\\') {
        return judo_text_append_format(out, "\\%c", (char)point);
    }
    if (point == '\n' || point == '\r' || point == '\t') {
        return judo_text_append_format(out, "\\%c",
                                       point == '\n'   ? 'n'
                                       : point == '\r' ? 'r'
                                                       : 't');
    }
    if (judo_unicode_is_printable(point)) {
        return judo_utf8_append(out, point);
    }
    const char *format = point < 0x100 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x";
    char text[16];
    (void)snprintf(text, sizeof text, format, (unsigned)point);
    return judo_text_append_string(out, text);
}

judo_status judo_python_repr(const char *text, judo_text *out)
{
    size_t length = strlen(text);
    char quote = strchr(text, '\'') != NULL && strchr(text, '"') == NULL ? '"' : '\'';
    JUDO_TRY(judo_text_append(out, &quote, 1));
    size_t at = 0;
    while (at < length) {
        int32_t point = 0;
        size_t used = judo_utf8_next(text + at, length - at, &point);
        if (used == 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "invalid UTF-8 at byte %zu of \"%.60s\"", at,
                             text);
        }
        JUDO_TRY(append_escaped(point, quote, out));
        at += used;
    }
    return judo_text_append(out, &quote, 1);
}

static judo_status append_option(int32_t index, const char *option, judo_option_layout layout,
                                 judo_text *out)
{
    char letter = (char)('A' + index);
    if (layout == JUDO_OPTIONS_LINES) {
        return judo_text_append_format(out, "\n%c. %s", letter, option);
    }
    JUDO_TRY(judo_text_append_format(out, "%s'%c': ", index == 0 ? "" : ", ", letter));
    return judo_python_repr(option, out);
}

judo_status judo_question_format(const char *question, const char *const *options,
                                 int32_t num_options, judo_option_layout layout, judo_text *out)
{
    if (num_options < 0 || num_options > JUDO_MAX_OPTIONS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a question with %d options: 0 to %d are possible", num_options,
                         JUDO_MAX_OPTIONS);
    }
    bool dict = layout == JUDO_OPTIONS_DICT && num_options > 0;
    JUDO_TRY(judo_text_append_format(out, "%s%s", question, dict ? " \n Choice: \n {" : ""));
    for (int32_t i = 0; i < num_options; i++) {
        JUDO_TRY(append_option(i, options[i], layout, out));
    }
    return judo_text_append_string(out, dict ? "}" : "");
}
