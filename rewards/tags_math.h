/* rewards/tags_math.h: finding <seg>, <think> and <answer> in a completion, with the results of
 * the reference code's regular expressions. Linear in the text. */
#ifndef JUDO_REWARDS_TAGS_MATH_H
#define JUDO_REWARDS_TAGS_MATH_H

#include "rewards/span_math.h"

/* The content of the last match of `open(.*?)close` when matches do not overlap; `.` matches
 * newlines. */
static inline JUDO_HD judo_span judo_tag_last(judo_span text, const char *open,
                                              const char *close)
{
    judo_span found = judo_span_of(NULL, 0);
    size_t open_length = judo_span_word_length(open);
    size_t close_length = judo_span_word_length(close);
    size_t at = 0;
    while (true) {
        size_t start = judo_span_find(text, at, open);
        size_t end = start == JUDO_NOWHERE ? JUDO_NOWHERE
                                           : judo_span_find(text, start + open_length, close);
        if (end == JUDO_NOWHERE) {
            return found;
        }
        found = judo_span_slice(text, start + open_length, end);
        at = end + close_length;
    }
}

/* The content of the first match; with `one_line`, `.` does not match a newline, so a tag that
 * a newline breaks is no match and the search goes on behind it. */
static inline JUDO_HD judo_span judo_tag_first(judo_span text, const char *open,
                                               const char *close, bool one_line)
{
    size_t open_length = judo_span_word_length(open);
    size_t at = 0;
    while (true) {
        size_t start = judo_span_find(text, at, open);
        size_t end = start == JUDO_NOWHERE ? JUDO_NOWHERE
                                           : judo_span_find(text, start + open_length, close);
        if (end == JUDO_NOWHERE) {
            return judo_span_of(NULL, 0);
        }
        judo_span content = judo_span_slice(text, start + open_length, end);
        size_t newline = one_line ? judo_span_find(content, 0, "\n") : JUDO_NOWHERE;
        if (newline == JUDO_NOWHERE) {
            return content;
        }
        at = start + open_length + newline + 1;
    }
}

/* The byte behind the first `first\s*second` at or behind `from`, or JUDO_NOWHERE. */
static inline JUDO_HD size_t judo_tag_joint(judo_span text, size_t from, const char *first,
                                            const char *second)
{
    size_t at = from;
    while (true) {
        size_t start = judo_span_find(text, at, first);
        if (start == JUDO_NOWHERE) {
            return JUDO_NOWHERE;
        }
        at = start + judo_span_word_length(first);
        size_t behind = judo_span_skip_spaces(text, at);
        if (judo_span_has_at(text, behind, second)) {
            return behind + judo_span_word_length(second);
        }
    }
}

/* The byte behind the first `word` at or behind `from`; JUDO_NOWHERE stays JUDO_NOWHERE, so
 * that calls chain. */
static inline JUDO_HD size_t judo_tag_after(judo_span text, size_t from, const char *word)
{
    size_t at = from == JUDO_NOWHERE ? from : judo_span_find(text, from, word);
    return at == JUDO_NOWHERE ? at : at + judo_span_word_length(word);
}

/* <seg>..</seg>..<think>..</think>..<answer>..</answer> in this order, anything around. */
static inline JUDO_HD bool judo_tags_in_order(judo_span text)
{
    size_t at = judo_tag_after(text, 0, "<seg>");
    at = judo_tag_after(text, at, "</seg>");
    at = judo_tag_after(text, at, "<think>");
    at = judo_tag_after(text, at, "</think>");
    at = judo_tag_after(text, at, "<answer>");
    return judo_tag_after(text, at, "</answer>") != JUDO_NOWHERE;
}

/* <think>..</think>\s*<answer>..</answer> somewhere. */
static inline JUDO_HD bool judo_tags_think_answer(judo_span text)
{
    size_t at = judo_tag_after(text, 0, "<think>");
    at = at == JUDO_NOWHERE ? at : judo_tag_joint(text, at, "</think>", "<answer>");
    return judo_tag_after(text, at, "</answer>") != JUDO_NOWHERE;
}

/* <seg>..</seg>\s*<think>..</think>\s*<answer>..</answer> somewhere. */
static inline JUDO_HD bool judo_tags_adjacent(judo_span text)
{
    size_t at = judo_tag_after(text, 0, "<seg>");
    at = at == JUDO_NOWHERE ? at : judo_tag_joint(text, at, "</seg>", "<think>");
    at = at == JUDO_NOWHERE ? at : judo_tag_joint(text, at, "</think>", "<answer>");
    return judo_tag_after(text, at, "</answer>") != JUDO_NOWHERE;
}

static inline JUDO_HD bool judo_tags_once(judo_span text, const char *word)
{
    size_t at = judo_tag_after(text, 0, word);
    return at != JUDO_NOWHERE && judo_tag_after(text, at, word) == JUDO_NOWHERE;
}

/* The whole text is <seg>..</seg> <think>..</think> <answer>..</answer>: each tag once, nothing
 * but white space around and between. */
static inline JUDO_HD bool judo_tags_whole(judo_span text)
{
    judo_span whole = judo_span_strip(text);
    const size_t close = 9; /* of </answer> */
    return judo_tags_once(whole, "<seg>") && judo_tags_once(whole, "</seg>") &&
           judo_tags_once(whole, "<think>") && judo_tags_once(whole, "</think>") &&
           judo_tags_once(whole, "<answer>") && judo_tags_once(whole, "</answer>") &&
           judo_span_has_at(whole, 0, "<seg>") && judo_tags_adjacent(whole) &&
           judo_span_has_at(whole, whole.length - close, "</answer>");
}

#endif
