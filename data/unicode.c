/* data/unicode.c: UTF-8, normal forms and character classes over utf8proc. */
#include "data/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "data/unicode_ranges.h"
#include "runtime/utf8.h"

/* The one canonical composition that came between Unicode 9, which the reference's normal forms
 * know, and utf8proc's version. */
enum { NEW_COMPOSITE = 0x11938, NEW_COMPOSITE_TAIL = 0x11930 };

size_t judo_utf8_next(const char *bytes, size_t length, int32_t *point)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t used = judo_utf8_length(at, at + length);
    switch (used) {
    case 1:
        *point = at[0];
        break;
    case 2:
        *point = (at[0] & 0x1F) << 6 | (at[1] & 0x3F);
        break;
    case 3:
        *point = (at[0] & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F);
        break;
    case 4:
        *point =
            (at[0] & 0x07) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F);
        break;
    default:
        break;
    }
    return used;
}

size_t judo_utf8_valid_prefix(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        int32_t point = 0;
        size_t used = judo_utf8_next(bytes + at, length - at, &point);
        if (used == 0) {
            break;
        }
        at += used;
    }
    return at;
}

judo_status judo_utf8_append(judo_text *text, int32_t point)
{
    utf8proc_uint8_t encoded[4];
    utf8proc_ssize_t used = utf8proc_encode_char(point, encoded);
    if (used <= 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "U+%04X is no Unicode scalar value",
                         (unsigned)point);
    }
    return judo_text_append(text, (const char *)encoded, (size_t)used);
}

bool judo_unicode_surely_nfc(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        int32_t point = 0;
        size_t used = judo_utf8_next(bytes + at, length - at, &point);
        /* Latin, Western punctuation and Han characters neither decompose nor follow anything
         * into a composition. */
        bool plain = point < 0x300 || (point >= 0x2010 && point <= 0x2027) ||
                     (point >= 0x4E00 && point <= 0x9FFF);
        if (used == 0 || !plain) {
            return false;
        }
        at += used;
    }
    return true;
}

static unsigned combining_class(int32_t point)
{
    unsigned rank = (unsigned)utf8proc_get_property(point)->combining_class & 0xffu;
    return rank != 0 && judo_unicode_is_unordered_mark(point) ? 0 : rank;
}

/* Stable counting sort of a run of marks by combining class: utf8proc's own sort is quadratic,
 * and the text may come from anyone. */
static judo_status sort_marks(int32_t *points, int64_t count)
{
    int64_t starts[257] = {0};
    bool sorted = true;
    for (int64_t i = 0; i < count; i++) {
        unsigned rank = combining_class(points[i]);
        starts[rank + 1]++;
        sorted = sorted && (i == 0 || combining_class(points[i - 1]) <= rank);
    }
    if (sorted) {
        return JUDO_OK;
    }
    int32_t *ordered = malloc((size_t)count * sizeof *ordered);
    if (ordered == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to order %lld combining marks",
                         (long long)count);
    }
    for (int rank = 0; rank < 256; rank++) {
        starts[rank + 1] += starts[rank];
    }
    for (int64_t i = 0; i < count; i++) {
        ordered[starts[combining_class(points[i])]++] = points[i];
    }
    memcpy(points, ordered, (size_t)count * sizeof *ordered);
    free(ordered);
    return JUDO_OK;
}

static judo_status order_marks(judo_ids *points, int64_t from)
{
    int64_t at = from;
    while (at < points->count) {
        int64_t end = at;
        while (end < points->count && combining_class(points->ids[end]) != 0) {
            end++;
        }
        if (end - at > 1) {
            JUDO_TRY(sort_marks(points->ids + at, end - at));
        }
        at = end + 1;
    }
    return JUDO_OK;
}

judo_status judo_unicode_decompose(const char *bytes, size_t length, judo_ids *points)
{
    enum { LONGEST = 32 }; /* canonical decompositions have at most 4 code points */

    int64_t from = points->count;
    size_t at = 0;
    while (at < length) {
        int32_t point = 0;
        size_t used = judo_utf8_next(bytes + at, length - at, &point);
        if (used == 0) {
            return JUDO_FAIL(JUDO_ERROR_INTERNAL, "invalid UTF-8 at byte %zu of a text", at);
        }
        at += used;
        JUDO_TRY(judo_ids_reserve(points, LONGEST));
        if (point == NEW_COMPOSITE) {
            points->ids[points->count++] = point;
            continue;
        }
        int last_boundclass = 0;
        utf8proc_ssize_t made =
            utf8proc_decompose_char(point, points->ids + points->count, LONGEST,
                                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &last_boundclass);
        if (made < 0 || made > LONGEST) {
            return JUDO_FAIL(JUDO_ERROR_INTERNAL, "cannot decompose U+%04X", (unsigned)point);
        }
        points->count += made;
    }
    return order_marks(points, from);
}

/* True if nothing before the point composes with it or with what follows. utf8proc takes
 * U+11A7, the place before the first final consonant, for a final consonant and swallows it
 * behind a syllable. */
static bool stands_apart(int32_t point)
{
    enum { NO_FINAL = 0x11A7 };

    return point == NO_FINAL || point == NEW_COMPOSITE_TAIL ||
           (point >= 0x300 && judo_unicode_is_unordered_mark(point));
}

static judo_status compose_run(int32_t *points, int64_t count, judo_text *out)
{
    utf8proc_ssize_t made = utf8proc_normalize_utf32(points, (utf8proc_ssize_t)count,
                                                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (made < 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "cannot compose a text: %s",
                         utf8proc_errmsg(made));
    }
    JUDO_TRY(judo_text_reserve(out, (size_t)made * 4));
    for (utf8proc_ssize_t i = 0; i < made; i++) {
        JUDO_TRY(judo_utf8_append(out, points[i]));
    }
    return JUDO_OK;
}

judo_status judo_unicode_compose(const char *bytes, size_t length, judo_ids *points,
                                 judo_text *out)
{
    judo_ids_clear(points);
    JUDO_TRY(judo_unicode_decompose(bytes, length, points));
    int64_t at = 0;
    while (at < points->count) {
        int64_t end = at + 1;
        while (end < points->count && !stands_apart(points->ids[end])) {
            end++;
        }
        JUDO_TRY(compose_run(points->ids + at, end - at, out));
        at = end;
    }
    return JUDO_OK;
}

bool judo_unicode_is_space(int32_t point)
{
    return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 ||
           point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
           point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F ||
           point == 0x3000;
}

bool judo_unicode_is_nonspacing(int32_t point)
{
    return utf8proc_category(point) == UTF8PROC_CATEGORY_MN;
}

bool judo_unicode_is_punctuation(int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool judo_unicode_is_control(int32_t point)
{
    utf8proc_category_t category = utf8proc_category(point);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}

bool judo_unicode_is_printable(int32_t point)
{
    if (point == ' ') {
        return true;
    }
    utf8proc_category_t category = utf8proc_category(point);
    return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

int32_t judo_unicode_lower(int32_t point)
{
    return utf8proc_tolower(point);
}
