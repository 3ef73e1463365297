/* rewards/extract_choice_math.h: which letter a text concludes on, exactly as the reference
 * code's heuristic decides it, quirks included (its upper-cased English keywords never meet
 * lower-case text; a repeated letter scores once per occurrence, always at its last position).
 */
#ifndef JUDO_REWARDS_EXTRACT_CHOICE_MATH_H
#define JUDO_REWARDS_EXTRACT_CHOICE_MATH_H

#include "rewards/span_math.h"

enum { JUDO_CHOICE_LETTERS = 4, JUDO_CHOICE_CONTEXT = 20 };

/* The next code point with each run of white space read as one space. */
static inline JUDO_HD uint32_t judo_span_next_collapsed(judo_span text, size_t *at)
{
    uint32_t code = judo_span_next(text, at);
    if (!judo_code_is_space(code)) {
        return code;
    }
    *at = judo_span_skip_spaces(text, *at);
    return ' ';
}

/* What one pass over the collapsed text finds. */
typedef struct judo_choice_scan {
    size_t length;                        /* code points */
    size_t total_hits;                    /* letters A-D with no a-z beside them */
    size_t hits[JUDO_CHOICE_LETTERS];     /* the same per letter */
    size_t order[JUDO_CHOICE_LETTERS];    /* total_hits when the letter was first hit */
    size_t last[JUDO_CHOICE_LETTERS];     /* last position of the letter, hit or not */
    uint32_t behind[JUDO_CHOICE_LETTERS]; /* the code point behind that; 0 at the end */
} judo_choice_scan;

static inline JUDO_HD bool judo_code_is_lower(uint32_t code)
{
    return code >= 'a' && code <= 'z';
}

static inline JUDO_HD judo_choice_scan judo_choice_scan_of(judo_span text)
{
    judo_choice_scan scan = {0, 0, {0}, {0}, {0}, {0}};
    uint32_t before = 0;
    size_t at = 0;
    uint32_t code = at < text.length ? judo_span_next_collapsed(text, &at) : 0;
    bool more = text.length > 0;
    while (more) {
        more = at < text.length;
        uint32_t behind = more ? judo_span_next_collapsed(text, &at) : 0;
        if (judo_code_is_choice(code)) {
            uint32_t letter = code - 'A';
            scan.last[letter] = scan.length;
            scan.behind[letter] = behind;
            if (!judo_code_is_lower(before) && !judo_code_is_lower(behind)) {
                if (scan.hits[letter] == 0) {
                    scan.order[letter] = scan.total_hits;
                }
                scan.hits[letter]++;
                scan.total_hits++;
            }
        }
        scan.length++;
        before = code;
        code = behind;
    }
    return scan;
}

static inline JUDO_HD bool judo_codes_contain(const uint32_t *codes, int count,
                                              const uint32_t *word)
{
    for (int start = 0; start < count; start++) {
        int i = 0;
        while (word[i] != 0 && start + i < count && codes[start + i] == word[i]) {
            i++;
        }
        if (word[i] == 0) {
            return true;
        }
    }
    return false;
}

/* How many of the keywords stand within 20 code points before and 19 behind position `last`.
 * chinese: AnomalyR1's longer list. */
static inline JUDO_HD size_t judo_choice_keywords(judo_span text, size_t last, bool chinese)
{
    enum { ENGLISH = 8, ALL = 16 };

    static const uint32_t words[ALL][8] = {
        {'A', 'N', 'S', 'W', 'E', 'R'},
        {'C', 'O', 'R', 'R', 'E', 'C', 'T'},
        {'C', 'H', 'O', 'O', 'S', 'E'},
        {'S', 'E', 'L', 'E', 'C', 'T'},
        {'R', 'I', 'G', 'H', 'T'},
        {'T', 'H', 'I', 'N', 'K'},
        {'B', 'E', 'L', 'I', 'E', 'V', 'E'},
        {'S', 'H', 'O', 'U', 'L', 'D'},
        {0x7B54, 0x6848} /* answer */,
        {0x9009, 0x62E9} /* choose */,
        {0x6B63, 0x786E} /* correct */,
        {0x662F} /* is */,
        {0x5BF9} /* right */,
        {0x8BA4, 0x4E3A} /* think */,
        {0x5E94, 0x8BE5} /* should */,
        {0x89C9, 0x5F97} /* feel */,
    };
    uint32_t codes[2 * JUDO_CHOICE_CONTEXT];
    int count = 0;
    size_t first = last < JUDO_CHOICE_CONTEXT ? 0 : last - JUDO_CHOICE_CONTEXT;
    size_t at = 0;
    for (size_t i = 0; at < text.length && i < last + JUDO_CHOICE_CONTEXT; i++) {
        uint32_t code = judo_span_next_collapsed(text, &at);
        if (i >= first) {
            codes[count++] = code;
        }
    }
    size_t found = 0;
    for (int i = 0; i < (chinese ? ALL : ENGLISH); i++) {
        found += judo_codes_contain(codes, count, words[i]) ? 1u : 0u;
    }
    return found;
}

/* A text of one or two code points: the first that is a word character or a space. */
static inline JUDO_HD uint32_t judo_choice_of_short(judo_span text)
{
    for (size_t at = 0; at < text.length;) {
        uint32_t code = judo_span_next_collapsed(text, &at);
        if (judo_code_is_word(code) || code == ' ') {
            return code;
        }
    }
    return 0;
}

/* The letter (a code point; for very short texts any character) or 0 for none. */
static inline JUDO_HD uint32_t judo_extract_choice(judo_span text, bool chinese)
{
    judo_choice_scan scan = judo_choice_scan_of(text);
    if (scan.length < 3) {
        return judo_choice_of_short(text);
    }
    uint32_t best = 0;
    size_t best_score = 0;
    size_t best_order = 0;
    for (uint32_t letter = 0; letter < JUDO_CHOICE_LETTERS; letter++) {
        if (scan.hits[letter] == 0) {
            continue;
        }
        size_t last = scan.last[letter];
        uint32_t behind = scan.behind[letter];
        size_t score = judo_choice_keywords(text, last, chinese);
        score += (double)last > (double)scan.length * 0.7 ? 2u : 0u;
        score += behind == 0x3002 || behind == '.' || behind == '!' || behind == 0xFF01 ||
                         behind == ',' || behind == 0xFF0C
                     ? 1u
                     : 0u;
        score *= scan.hits[letter];
        if (best == 0 || score > best_score ||
            (score == best_score && scan.order[letter] < best_order)) {
            best = 'A' + letter;
            best_score = score;
            best_order = scan.order[letter];
        }
    }
    return best;
}

#endif
