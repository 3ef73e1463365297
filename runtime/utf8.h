/* runtime/utf8.h: strict UTF-8 (no overlong forms, no surrogates, at most U+10FFFF). */
#ifndef JUDO_RUNTIME_UTF8_H
#define JUDO_RUNTIME_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at `at` (1 to 4), or 0 if it is malformed or cut off. */
static inline size_t judo_utf8_length(const unsigned char *at, const unsigned char *end)
{
    if (at >= end) {
        return 0;
    }
    unsigned char lead = *at;
    if (lead < 0x80) {
        return 1;
    }
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || (size_t)(end - at) < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates and values past U+10FFFF show in the second byte. */
    unsigned char second = at[1];
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
        return 0;
    }
    return length;
}

/* Bytes (1 to 3) at a malformed place that one U+FFFD stands for: the beginning of a character
 * as far as it is well-formed, as Unicode recommends and most libraries do. */
static inline size_t judo_utf8_broken_length(const unsigned char *at, const unsigned char *end)
{
    unsigned char lead = *at;
    if (lead < 0xC2 || lead > 0xF4 || end - at < 2) {
        return 1;
    }
    unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < lowest || at[1] > highest) {
        return 1;
    }
    return lead >= 0xF0 && end - at > 2 && (at[2] & 0xC0) == 0x80 ? 3 : 2;
}

#endif
