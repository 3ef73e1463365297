/* data/pretokenize.c: Qwen2's split pattern in PCRE2's terms. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "data/pretokenize.h"

#include <pcre2.h>
#include <stdlib.h>

struct judo_splitter {
    pcre2_code *code;
};

struct judo_split_room {
    pcre2_match_data *match;
};

/* PCRE2's \s also takes U+180E, which lost White_Space in Unicode 6.3: spelled out instead. */
#define SPACES                                                                                 \
    "\\x{09}-\\x{0D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}"       \
    "\\x{202F}\\x{205F}\\x{3000}"

static const char pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^" SPACES "\\p{L}\\p{N}]+[\\r\\n]*|[" SPACES "]*[\\r\\n]+|"
    "[" SPACES "]+(?![^" SPACES "])|[" SPACES "]+";

judo_status judo_splitter_open(judo_splitter **out)
{
    judo_splitter *splitter = calloc(1, sizeof *splitter);
    if (splitter == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the split pattern");
    }
    int error = 0;
    PCRE2_SIZE place = 0;
    splitter->code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &place, NULL);
    if (splitter->code == NULL) {
        free(splitter);
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "PCRE2 error %d at %zu of the split pattern",
                         error, (size_t)place);
    }
    /* Without executable memory the interpreter does the same, slower. */
    (void)pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE);
    *out = splitter;
    return JUDO_OK;
}

void judo_splitter_close(judo_splitter **splitter)
{
    if (*splitter != NULL) {
        pcre2_code_free((*splitter)->code);
        free(*splitter);
        *splitter = NULL;
    }
}

judo_status judo_split_room_open(const judo_splitter *splitter, judo_split_room **out)
{
    judo_split_room *room = calloc(1, sizeof *room);
    if (room != NULL) {
        room->match = pcre2_match_data_create_from_pattern(splitter->code, NULL);
    }
    if (room == NULL || room->match == NULL) {
        free(room);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the split pattern");
    }
    *out = room;
    return JUDO_OK;
}

void judo_split_room_close(judo_split_room **room)
{
    if (*room != NULL) {
        pcre2_match_data_free((*room)->match);
        free(*room);
        *room = NULL;
    }
}

judo_status judo_splitter_next(const judo_splitter *splitter, judo_split_room *room,
                               const char *text, size_t length, size_t start, size_t *end)
{
    int found = pcre2_match(splitter->code, (PCRE2_SPTR)text, length, start, PCRE2_NO_UTF_CHECK,
                            room->match, NULL);
    size_t stop = found < 0 ? start : pcre2_get_ovector_pointer(room->match)[1];
    if (stop <= start) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "PCRE2 result %d at byte %zu of a text of %zu bytes", found, start,
                         length);
    }
    *end = stop;
    return JUDO_OK;
}
