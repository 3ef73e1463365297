/* data/pretokenize.c: Qwen2's split pattern, written out: the alternatives in their order, each
 * as greedy as the pattern. */
#include "data/pretokenize.h"

#include "data/unicode.h"
#include "data/unicode_ranges.h"

typedef enum kind { END, LETTER, NUMBER, NEWLINE, SPACE, OTHER } kind;

/* Below U+0080. */
static inline kind ascii_kind(unsigned char byte)
{
    unsigned char letter = byte | 0x20;
    if (letter >= 'a' && letter <= 'z') {
        return LETTER;
    }
    if (byte >= '0' && byte <= '9') {
        return NUMBER;
    }
    if (byte == '\r' || byte == '\n') {
        return NEWLINE;
    }
    return byte == ' ' || (byte >= '\t' && byte <= '\r') ? SPACE : OTHER;
}

static kind kind_of(int32_t point)
{
    if (judo_unicode_is_letter(point)) {
        return LETTER;
    }
    if (judo_unicode_is_number(point)) {
        return NUMBER;
    }
    return judo_unicode_is_space(point) ? SPACE : OTHER;
}

/* The kind of the character at `at`, and where it ends. */
static inline kind look(const char *text, size_t length, size_t at, size_t *end)
{
    if (at < length && (unsigned char)text[at] < 0x80) {
        *end = at + 1;
        return ascii_kind((unsigned char)text[at]);
    }
    int32_t point = 0;
    size_t used = judo_utf8_next(text + at, length - at, &point);
    *end = at + used;
    return used == 0 ? END : kind_of(point);
}

static size_t skip(const char *text, size_t length, size_t at, kind wanted)
{
    size_t end = at;
    while (look(text, length, at, &end) == wanted) {
        at = end;
    }
    return at;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d): its end, or `at`. The long s is a lower-case form of S. */
static size_t skip_contraction(const char *text, size_t length, size_t at)
{
    if (text[at] != '\'' || length - at < 2) {
        return at;
    }
    char first = (char)(text[at + 1] | 0x20);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return at + 2;
    }
    if (length - at < 3) {
        return at;
    }
    char second = (char)(text[at + 2] | 0x20);
    bool known = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                 (first == 'l' && second == 'l');
    bool long_s = text[at + 1] == '\xC5' && text[at + 2] == '\xBF';
    return known || long_s ? at + 3 : at;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+: through the last newline of a run of spaces; else all of a run at
 * the text's end; else all but the run's last character, which goes with what follows. */
static size_t skip_spaces(const char *text, size_t length, size_t at)
{
    size_t after_newline = 0;
    size_t last = at;
    size_t now = at;
    size_t end = at;
    kind found = look(text, length, now, &end);
    while (found == SPACE || found == NEWLINE) {
        after_newline = found == NEWLINE ? end : after_newline;
        last = now;
        now = end;
        found = look(text, length, now, &end);
    }
    if (after_newline > 0) {
        return after_newline;
    }
    return found == END || last == at ? now : last;
}

size_t judo_split_next(const char *text, size_t length, size_t start)
{
    size_t end = skip_contraction(text, length, start);
    if (end > start) {
        return end;
    }
    size_t second_end = start;
    kind first = look(text, length, start, &end);
    if (first == NUMBER || first == END) {
        return first == END ? start + 1 : end;
    }
    kind second = look(text, length, end, &second_end);
    if (first == LETTER || (first != NEWLINE && second == LETTER)) {
        return skip(text, length, end, LETTER);
    }
    if (first == OTHER || (text[start] == ' ' && second == OTHER)) {
        end = skip(text, length, end, OTHER);
        return skip(text, length, end, NEWLINE);
    }
    return skip_spaces(text, length, start);
}
