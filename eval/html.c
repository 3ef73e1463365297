/* eval/html.c: escaping, base64, numbers. */
#include "eval/html.h"

#include <math.h>
#include <string.h>

void judo_html_bytes(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        switch (c) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default: /* control characters have no place in HTML */
            fputc(c < 0x20 && c != '\n' && c != '\t' ? ' ' : c, out);
        }
    }
}

void judo_html_text(FILE *out, const char *text)
{
    judo_html_bytes(out, text, strlen(text));
}

void judo_html_data_uri(FILE *out, const char *mime, const uint8_t *bytes, size_t length)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fprintf(out, "data:%s;base64,", mime);
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        fputc(digits[group >> 18], out);
        fputc(digits[group >> 12 & 63], out);
        fputc(left > 1 ? digits[group >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[group & 63] : '=', out);
    }
}

void judo_html_number(FILE *out, double value, int decimals)
{
    if (isnan(value)) {
        fputs("&ndash;", out);
    } else {
        fprintf(out, "%.*f", decimals, value);
    }
}

void judo_html_short(FILE *out, double value)
{
    double size = fabs(value);
    if (isnan(value)) {
        fputs("&ndash;", out);
    } else if (size >= 1e6) {
        fprintf(out, "%.4gM", value / 1e6);
    } else if (size >= 1e4) {
        fprintf(out, "%.4gk", value / 1e3);
    } else if (size != 0 && size < 1e-3) {
        fprintf(out, "%.2e", value);
    } else {
        fprintf(out, "%.4g", value);
    }
}
