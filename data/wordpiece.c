/* data/wordpiece.c: cleaning, lower-casing, splitting into words, and the greedy longest match
 * of word pieces. */
#include "data/wordpiece.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/added_tokens.h"
#include "data/byte_table.h"
#include "data/unicode.h"
#include "data/unicode_ranges.h"
#include "runtime/file.h"

enum { MAX_VOCAB_BYTES = 1 << 28, MAX_WORD_POINTS = 100 };

struct judo_wordpiece {
    judo_byte_table tokens;
    judo_added_tokens specials;
    int32_t unknown, begin, end;
};

/* One encode call. */
typedef struct encoder {
    const judo_wordpiece *wordpiece;
    judo_ids points; /* the text, normalised */
    judo_text word;  /* "##" and the word */
    judo_ids *out;
    int64_t limit; /* of out->count: there is no use in more ids */
} encoder;

static judo_status add_line(judo_wordpiece *wordpiece, const char *line, size_t length,
                            const char *path)
{
    int32_t id = -1;
    bool is_new = false;
    JUDO_TRY(judo_byte_table_add(&wordpiece->tokens, line, length, &id, &is_new));
    if (!is_new) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s:%d: \"%.*s\" is there already, on line %d",
                         path, wordpiece->tokens.count + 1, length < 80 ? (int)length : 80,
                         line, id + 1);
    }
    return JUDO_OK;
}

static judo_status add_lines(judo_wordpiece *wordpiece, const char *text, size_t length,
                             const char *path)
{
    size_t at = 0;
    while (at < length) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t bytes = newline == NULL ? length - at : (size_t)(newline - (text + at));
        size_t kept = bytes > 0 && text[at + bytes - 1] == '\r' ? bytes - 1 : bytes;
        JUDO_TRY(add_line(wordpiece, text + at, kept, path));
        at += bytes + 1;
    }
    return JUDO_OK;
}

static judo_status find_specials(judo_wordpiece *wordpiece, const char *path)
{
    static const char *const names[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    int32_t ids[5];
    for (int i = 0; i < 5; i++) {
        ids[i] = judo_byte_table_find(&wordpiece->tokens, names[i], strlen(names[i]));
        if (ids[i] < 0) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                             "%s: no token %s; judo needs the vocabulary of an uncased BERT",
                             path, names[i]);
        }
        JUDO_TRY(
            judo_added_tokens_put(&wordpiece->specials, names[i], ids[i], true, false, path));
    }
    judo_added_tokens_seal(&wordpiece->specials);
    wordpiece->unknown = ids[1];
    wordpiece->begin = ids[2];
    wordpiece->end = ids[3];
    return JUDO_OK;
}

static judo_status load(judo_wordpiece *wordpiece, const char *path)
{
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, MAX_VOCAB_BYTES, &text, &length));
    judo_status status = add_lines(wordpiece, text, length, path);
    free(text);
    JUDO_TRY(status);
    return find_specials(wordpiece, path);
}

judo_status judo_wordpiece_open(const char *path, judo_wordpiece **out)
{
    judo_wordpiece *wordpiece = calloc(1, sizeof *wordpiece);
    if (wordpiece == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a tokenizer");
    }
    struct stat info;
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    judo_text file = {0};
    judo_status status = judo_text_append_format(&file, folder ? "%s/vocab.txt" : "%s", path);
    if (status == JUDO_OK) {
        status = load(wordpiece, file.bytes);
    }
    judo_text_free(&file);
    if (status != JUDO_OK) {
        judo_wordpiece_close(&wordpiece);
        return status;
    }
    *out = wordpiece;
    return JUDO_OK;
}

void judo_wordpiece_close(judo_wordpiece **wordpiece)
{
    if (*wordpiece != NULL) {
        judo_byte_table_free(&(*wordpiece)->tokens);
        judo_added_tokens_free(&(*wordpiece)->specials);
        free(*wordpiece);
        *wordpiece = NULL;
    }
}

int32_t judo_wordpiece_size(const judo_wordpiece *wordpiece)
{
    return wordpiece->tokens.count;
}

/* The blocks that Hugging Face's tokenizer takes; it leaves a gap at U+2B820..U+2B91F. */
static bool is_han(int32_t point)
{
    return (point >= 0x4E00 && point <= 0x9FFF) || (point >= 0x3400 && point <= 0x4DBF) ||
           (point >= 0x20000 && point <= 0x2A6DF) || (point >= 0x2A700 && point <= 0x2B81F) ||
           (point >= 0x2B920 && point <= 0x2CEAF) || (point >= 0xF900 && point <= 0xFAFF) ||
           (point >= 0x2F800 && point <= 0x2FA1F);
}

/* The reference's classes are those of Unicode 8: U+166D and U+111C9 were punctuation then,
 * U+1734 was a nonspacing mark. */
static bool is_punctuation(int32_t point)
{
    bool ascii = (point >= 33 && point <= 47) || (point >= 58 && point <= 64) ||
                 (point >= 91 && point <= 96) || (point >= 123 && point <= 126);
    bool then = point == 0x166D || point == 0x111C9;
    return ascii || then ||
           (judo_unicode_is_punctuation(point) && !judo_unicode_is_unknown_to_bert(point));
}

static bool is_mark(int32_t point)
{
    return point == 0x1734 || (point != 0x111C9 && judo_unicode_is_nonspacing(point) &&
                               !judo_unicode_is_unknown_to_bert(point));
}

static bool is_control(int32_t point)
{
    return judo_unicode_is_control(point) && !judo_unicode_is_unknown_to_bert(point);
}

/* A character of the raw text as BERT's cleaning leaves it: control characters, U+0000 and
 * U+FFFD go, any white space is a space, and Han characters stand alone. */
static judo_status clean(int32_t point, judo_text *out)
{
    bool kept_control = point == '\t' || point == '\n' || point == '\r';
    if (point == 0xFFFD || (!kept_control && is_control(point))) {
        return JUDO_OK;
    }
    if (judo_unicode_is_space(point)) {
        return judo_text_append(out, " ", 1);
    }
    if (!is_han(point)) {
        return judo_utf8_append(out, point);
    }
    JUDO_TRY(judo_text_append(out, " ", 1));
    JUDO_TRY(judo_utf8_append(out, point));
    return judo_text_append(out, " ", 1);
}

/* Cleaned, decomposed, without accents, lower-case. */
static judo_status normalize(const char *text, size_t length, judo_ids *points)
{
    judo_text cleaned = {0};
    judo_status status = JUDO_OK;
    size_t at = 0;
    while (at < length && status == JUDO_OK) {
        int32_t point = 0;
        size_t used = judo_utf8_next(text + at, length - at, &point);
        status = used == 0 ? JUDO_OK : clean(point, &cleaned);
        at += used == 0 ? 1 : used;
    }
    judo_ids_clear(points);
    if (status == JUDO_OK) {
        status = judo_unicode_decompose(cleaned.bytes, cleaned.length, points);
    }
    judo_text_free(&cleaned);
    JUDO_TRY(status);
    int64_t kept = 0;
    for (int64_t i = 0; i < points->count; i++) {
        if (!is_mark(points->ids[i])) {
            points->ids[kept++] = judo_unicode_lower(points->ids[i]);
        }
    }
    points->count = kept;
    return JUDO_OK;
}

/* The longest token that begins word[at ..], "##" before it unless at the word's start. The
 * word stands behind a "##" in the buffer, which the pieces further in overwrite. */
static int32_t longest_piece(encoder *e, size_t at, size_t *end)
{
    const size_t mark = 2;
    char *word = e->word.bytes;
    size_t start = at + mark;
    char saved[2] = {0};
    if (at > 0) {
        start -= mark;
        memcpy(saved, word + start, mark);
        memcpy(word + start, "##", mark);
    }
    int32_t found = -1;
    size_t stop = e->word.length;
    while (stop > at + mark) {
        found = judo_byte_table_find(&e->wordpiece->tokens, word + start, stop - start);
        if (found >= 0) {
            break;
        }
        do {
            stop--;
        } while (stop > at + mark && ((unsigned char)word[stop] & 0xC0) == 0x80);
    }
    if (at > 0) {
        memcpy(word + start, saved, mark);
    }
    *end = stop - mark;
    return found;
}

static judo_status encode_word(encoder *e, const int32_t *points, int64_t count)
{
    if (count > MAX_WORD_POINTS) {
        return judo_ids_append(e->out, e->wordpiece->unknown);
    }
    judo_text_clear(&e->word);
    JUDO_TRY(judo_text_append(&e->word, "##", 2));
    for (int64_t i = 0; i < count; i++) {
        JUDO_TRY(judo_utf8_append(&e->word, points[i]));
    }
    int64_t before = e->out->count;
    size_t at = 0;
    while (at < e->word.length - 2) {
        size_t end = at;
        int32_t id = longest_piece(e, at, &end);
        if (id < 0) {
            e->out->count = before;
            return judo_ids_append(e->out, e->wordpiece->unknown);
        }
        JUDO_TRY(judo_ids_append(e->out, id));
        at = end;
    }
    return JUDO_OK;
}

/* Words end at spaces; each punctuation character is a word of its own. */
static judo_status encode_plain(encoder *e, const char *text, size_t length)
{
    JUDO_TRY(normalize(text, length, &e->points));
    const int32_t *points = e->points.ids;
    int64_t at = 0;
    while (at < e->points.count && e->out->count < e->limit) {
        if (judo_unicode_is_space(points[at])) {
            at++;
            continue;
        }
        int64_t end = at + 1;
        while (!is_punctuation(points[at]) && end < e->points.count &&
               !judo_unicode_is_space(points[end]) && !is_punctuation(points[end])) {
            end++;
        }
        JUDO_TRY(encode_word(e, points + at, end - at));
        at = end;
    }
    return JUDO_OK;
}

static judo_status encode_text(encoder *e, const char *text, size_t length)
{
    judo_added_filter filter = {.normalized = false, .special = true};
    size_t at = 0;
    while (at < length && e->out->count < e->limit) {
        size_t end = at;
        const judo_added_token *token =
            judo_added_tokens_next(&e->wordpiece->specials, filter, text, length, at, &end);
        JUDO_TRY(encode_plain(e, text + at, end - at));
        if (token != NULL) {
            JUDO_TRY(judo_ids_append(e->out, token->id));
            end += token->length;
        }
        at = end;
    }
    return JUDO_OK;
}

judo_status judo_wordpiece_encode(const judo_wordpiece *wordpiece, const char *text,
                                  size_t length, int32_t max_tokens, judo_ids *out)
{
    if (max_tokens < 2 || length > INT32_MAX / 4) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%zu bytes into %d tokens: at least 2 tokens and at most %d bytes",
                         length, max_tokens, INT32_MAX / 4);
    }
    int64_t before = out->count;
    encoder e = {.wordpiece = wordpiece, .out = out, .limit = before + max_tokens - 1};
    judo_status status = judo_ids_append(out, wordpiece->begin);
    if (status == JUDO_OK) {
        status = encode_text(&e, text, length);
    }
    if (status == JUDO_OK) {
        out->count = out->count > e.limit ? e.limit : out->count;
        status = judo_ids_append(out, wordpiece->end);
    }
    if (status != JUDO_OK) {
        out->count = before;
    }
    judo_ids_free(&e.points);
    judo_text_free(&e.word);
    return status;
}
