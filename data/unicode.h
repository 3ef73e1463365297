/* data/unicode.h: what the tokenizers need to know about Unicode (wraps utf8proc). */
#ifndef JUDO_DATA_UNICODE_H
#define JUDO_DATA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "runtime/status.h"

/* Reads one code point; returns its length in bytes, or 0 if the bytes are not valid UTF-8
 * (overlong forms, surrogates, values past U+10FFFF, cut sequences) or `length` is 0. */
size_t judo_utf8_next(const char *bytes, size_t length, int32_t *point);
/* Bytes of the longest valid UTF-8 prefix. */
size_t judo_utf8_valid_prefix(const char *bytes, size_t length);
/* `point` must be a Unicode scalar value. */
judo_status judo_utf8_append(judo_text *text, int32_t point) JUDO_MUST_CHECK;

/* True if valid UTF-8 text is surely in normal form C already (false says nothing). */
bool judo_unicode_surely_nfc(const char *bytes, size_t length);
/* Appends the code points of the canonical decomposition (NFD) of valid UTF-8 text. */
judo_status judo_unicode_decompose(const char *bytes, size_t length,
                                   judo_ids *points) JUDO_MUST_CHECK;
/* Appends the canonical composition (NFC) of valid UTF-8 text. `points` is scratch. Linear
 * time also for long runs of combining marks. */
judo_status judo_unicode_compose(const char *bytes, size_t length, judo_ids *points,
                                 judo_text *out) JUDO_MUST_CHECK;

bool judo_unicode_is_space(int32_t point);       /* property White_Space */
bool judo_unicode_is_nonspacing(int32_t point);  /* category Mn */
bool judo_unicode_is_punctuation(int32_t point); /* categories P* */
bool judo_unicode_is_control(int32_t point);     /* categories Cc, Cf, Co */
bool judo_unicode_is_printable(int32_t point);   /* not C* and not Z*, or the plain space */
int32_t judo_unicode_lower(int32_t point);       /* simple lower-case mapping */

#endif
