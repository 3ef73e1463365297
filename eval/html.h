/* eval/html.h: pieces of HTML written to a stream; every text is escaped here. */
#ifndef JUDO_EVAL_HTML_H
#define JUDO_EVAL_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void judo_html_text(FILE *out, const char *text);
void judo_html_bytes(FILE *out, const char *text, size_t length);

/* "data:image/png;base64,..", for use in an attribute. */
void judo_html_data_uri(FILE *out, const char *mime, const uint8_t *bytes, size_t length);

/* A number with `decimals` places; an en dash for NaN. */
void judo_html_number(FILE *out, double value, int decimals);

/* A number in four significant digits: "0.01234", "1.2e-06", "12.3k". */
void judo_html_short(FILE *out, double value);

#endif
