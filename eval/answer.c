/* eval/answer.c: see answer.h. */
#include "eval/answer.h"

#include <string.h>

#include "eval/sequence_match.h"

/* The first <answer>L</answer> with L in A-D. */
static char tagged_letter(judo_span text)
{
    for (size_t at = 0; (at = judo_span_find(text, at, "<answer>")) != JUDO_NOWHERE; at++) {
        size_t letter = at + strlen("<answer>");
        if (letter < text.length && judo_code_is_choice((unsigned char)text.text[letter]) &&
            judo_span_has_at(text, letter + 1, "</answer>")) {
            return text.text[letter];
        }
    }
    return 0;
}

/* The first or last letter 'A'..`highest` with no word character beside it; 0 for none. */
static char lone_letter(judo_span text, uint32_t highest, bool last)
{
    char found = 0;
    bool after_word = false;
    for (size_t at = 0; at < text.length;) {
        uint32_t code = judo_span_next(text, &at);
        size_t peek = at;
        bool before_word = at < text.length && judo_code_is_word(judo_span_next(text, &peek));
        if (code >= 'A' && code <= highest && !after_word && !before_word) {
            found = (char)code;
            if (!last) {
                return found;
            }
        }
        after_word = judo_code_is_word(code);
    }
    return found;
}

/* difflib.get_close_matches(response, options, n=1, cutoff=0): of equal ratios the greater
 * text. */
static judo_status closest_option(judo_span response, const char *const *options,
                                  int num_options, char *out)
{
    char letter = 0;
    double best = -1;
    for (int i = 0; i < num_options; i++) {
        double ratio = 0;
        judo_span option = judo_span_of(options[i], strlen(options[i]));
        JUDO_TRY(judo_sequence_ratio(option, response, &ratio));
        if (ratio > best || (ratio == best && strcmp(options[i], options[letter - 'A']) > 0)) {
            best = ratio;
            letter = (char)('A' + i);
        }
    }
    *out = letter;
    return JUDO_OK;
}

judo_status judo_answer_read(judo_answer_mode mode, judo_span completion,
                             const char *const *options, int num_options, char *out)
{
    if (mode == JUDO_ANSWER_JUDO) {
        char letter = tagged_letter(completion);
        *out = letter != 0 ? letter : lone_letter(completion, 'D', false);
        return JUDO_OK;
    }
    char letter = lone_letter(completion, 'E', true);
    if (letter == 0) {
        return closest_option(completion, options, num_options, out);
    }
    *out = letter;
    return JUDO_OK;
}
