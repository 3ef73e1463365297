/* rewards/span_math.h: UTF-8 text as Python's str and re see it: code points, white space, word
 * characters, digits, strip, find. Host and device compile the same lines; nothing allocates.
 */
#ifndef JUDO_REWARDS_SPAN_MATH_H
#define JUDO_REWARDS_SPAN_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rewards/word_ranges.h"
#include "runtime/host_device.h"

/* A stretch of somebody else's text. text NULL: there is none (not the same as an empty one).
 */
typedef struct judo_span {
    const char *text;
    size_t length; /* bytes */
} judo_span;

#define JUDO_NOWHERE SIZE_MAX

static inline JUDO_HD judo_span judo_span_of(const char *text, size_t length)
{
    judo_span span;
    span.text = text;
    span.length = length;
    return span;
}

static inline JUDO_HD judo_span judo_span_slice(judo_span text, size_t from, size_t to)
{
    return judo_span_of(text.text + from, to - from);
}

/* The code point at byte *at, which moves behind it. A byte that starts no well-formed sequence
 * counts as one U+FFFD, as decoding with errors="replace" leaves it. */
static inline JUDO_HD uint32_t judo_span_next(judo_span text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.text + *at;
    size_t left = text.length - *at;
    uint32_t lead = p[0];
    size_t extra = lead < 0xC2 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 0;
    *at += 1;
    if (lead < 0x80) {
        return lead;
    }
    if (extra == 0 || extra >= left) {
        return 0xFFFD;
    }
    uint32_t code = lead & (0x3Fu >> extra);
    for (size_t i = 1; i <= extra; i++) {
        if ((p[i] & 0xC0u) != 0x80) {
            return 0xFFFD;
        }
        code = code << 6 | (p[i] & 0x3Fu);
    }
    bool overlong = (extra == 2 && code < 0x800) || (extra == 3 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return 0xFFFD;
    }
    *at += extra;
    return code;
}

static inline JUDO_HD size_t judo_span_count(judo_span text)
{
    size_t count = 0;
    for (size_t at = 0; at < text.length; count++) {
        (void)judo_span_next(text, &at);
    }
    return count;
}

/* str.isspace(), which is also what `\s` matches. */
static inline JUDO_HD bool judo_code_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
           code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}

/* What `\w` matches. */
static inline JUDO_HD bool judo_code_is_word(uint32_t code)
{
    static const uint32_t ranges[JUDO_WORD_RANGE_COUNT][2] = {JUDO_WORD_RANGES};
    if (code < 0x80) {
        uint32_t lower = code | 0x20u;
        return (lower >= 'a' && lower <= 'z') || (code >= '0' && code <= '9') || code == '_';
    }
    int low = 0;
    int high = JUDO_WORD_RANGE_COUNT;
    while (low < high) { /* the first range that does not end before the code */
        int middle = (low + high) / 2;
        if (ranges[middle][1] < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < JUDO_WORD_RANGE_COUNT && ranges[low][0] <= code;
}

/* The value of a decimal digit of any script, or -1. */
static inline JUDO_HD int judo_code_digit(uint32_t code)
{
    static const uint32_t zeros[JUDO_DIGIT_ZERO_COUNT] = {JUDO_DIGIT_ZEROS};
    if (code < 0x80) {
        return code >= '0' && code <= '9' ? (int)(code - '0') : -1;
    }
    for (int i = 0; i < JUDO_DIGIT_ZERO_COUNT; i++) {
        if (code >= zeros[i] && code < zeros[i] + 10) {
            return (int)(code - zeros[i]);
        }
    }
    return -1;
}

static inline JUDO_HD bool judo_code_is_choice(uint32_t code)
{
    return code >= 'A' && code <= 'D';
}

/* str.strip(). */
static inline JUDO_HD judo_span judo_span_strip(judo_span text)
{
    size_t first = 0;
    size_t end = 0;
    bool started = false;
    for (size_t at = 0; at < text.length;) {
        size_t start = at;
        if (!judo_code_is_space(judo_span_next(text, &at))) {
            first = started ? first : start;
            started = true;
            end = at;
        }
    }
    return judo_span_slice(text, first, end);
}

/* Whether the ASCII `word` stands at byte `at`. */
static inline JUDO_HD bool judo_span_has_at(judo_span text, size_t at, const char *word)
{
    size_t i = 0;
    while (word[i] != '\0' && at + i < text.length && text.text[at + i] == word[i]) {
        i++;
    }
    return word[i] == '\0';
}

/* The byte where `word` first stands at or behind `from`, or JUDO_NOWHERE. */
static inline JUDO_HD size_t judo_span_find(judo_span text, size_t from, const char *word)
{
    for (size_t at = from; at < text.length; at++) {
        if (text.text[at] == word[0] && judo_span_has_at(text, at, word)) {
            return at;
        }
    }
    return JUDO_NOWHERE;
}

static inline JUDO_HD size_t judo_span_word_length(const char *word)
{
    size_t length = 0;
    while (word[length] != '\0') {
        length++;
    }
    return length;
}

static inline JUDO_HD size_t judo_span_skip_spaces(judo_span text, size_t from)
{
    size_t at = from;
    while (at < text.length) {
        size_t next = at;
        if (!judo_code_is_space(judo_span_next(text, &next))) {
            break;
        }
        at = next;
    }
    return at;
}

#endif
