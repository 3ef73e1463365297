/* rewards/cells_text_math.h: the text of a <seg> tag as cells: "(3,7)-(3,8), (5,8)" or "None".
 */
#ifndef JUDO_REWARDS_CELLS_TEXT_MATH_H
#define JUDO_REWARDS_CELLS_TEXT_MATH_H

#include "data/cells.h"
#include "rewards/tags_math.h"

/* Where the paper and its public code differ. */
typedef struct judo_cells_syntax {
    bool one_line; /* a newline inside the tag makes it no tag at all */
    bool en_dash;  /* U+2013 joins a range as '-' does (so the paper's figures print it) */
} judo_cells_syntax;

typedef enum judo_cells_state {
    JUDO_CELLS_MISSING,   /* no tag */
    JUDO_CELLS_MALFORMED, /* a tag whose content is no list of cells */
    JUDO_CELLS_READ,
} judo_cells_state;

/* Python's int() of a piece of text, saturated at 9999; false where int() raises: also at the
 * separators U+001C to U+001F, which are white space to str only. */
static inline JUDO_HD bool judo_span_int(judo_span text, int *out)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.text[i] >= 0x1C && text.text[i] <= 0x1F) {
            return false;
        }
    }
    judo_span number = judo_span_strip(text);
    size_t at = 0;
    bool negative = false;
    if (number.length > 0 && (number.text[0] == '+' || number.text[0] == '-')) {
        negative = number.text[0] == '-';
        at = 1;
    }
    int value = 0;
    bool after_digit = false;
    while (at < number.length) {
        uint32_t code = judo_span_next(number, &at);
        int digit = judo_code_digit(code);
        if (digit >= 0) {
            value = value > 999 ? 9999 : value * 10 + digit;
            after_digit = true;
        } else if (code == '_' && after_digit) {
            after_digit = false;
        } else {
            return false;
        }
    }
    *out = negative ? -value : value;
    return after_digit;
}

/* "(r,c)", brackets and blanks around optional, as Python's strip("() ") leaves it. */
static inline JUDO_HD bool judo_cell_pair(judo_span text, int *row, int *column)
{
    size_t first = 0;
    size_t end = text.length;
    while (first < end &&
           (text.text[first] == '(' || text.text[first] == ')' || text.text[first] == ' ')) {
        first++;
    }
    while (end > first && (text.text[end - 1] == '(' || text.text[end - 1] == ')' ||
                           text.text[end - 1] == ' ')) {
        end--;
    }
    judo_span pair = judo_span_slice(text, first, end);
    size_t comma = judo_span_find(pair, 0, ",");
    return comma != JUDO_NOWHERE && judo_span_find(pair, comma + 1, ",") == JUDO_NOWHERE &&
           judo_span_int(judo_span_slice(pair, 0, comma), row) &&
           judo_span_int(judo_span_slice(pair, comma + 1, pair.length), column);
}

static inline JUDO_HD bool judo_cell_in_grid(int coordinate)
{
    return coordinate >= 1 && coordinate <= JUDO_GRID;
}

/* Adds one cell or one run; false when it is malformed or outside the grid. */
static inline JUDO_HD bool judo_cells_add_token(judo_span token, judo_cells_syntax rule,
                                                judo_cells *cells)
{
    int dashes = 0;
    size_t left_end = token.length;
    size_t right_start = 0;
    for (size_t at = 0; at < token.length;) {
        size_t start = at;
        uint32_t code = judo_span_next(token, &at);
        if (code == '-' || (rule.en_dash && code == 0x2013)) {
            dashes++;
            left_end = start;
            right_start = at;
        }
    }
    int row = 0;
    int column = 0;
    if (dashes > 1 || !judo_cell_pair(judo_span_slice(token, 0, left_end), &row, &column)) {
        return false;
    }
    int end_row = row;
    int end_column = column;
    if (dashes == 1 && !judo_cell_pair(judo_span_slice(token, right_start, token.length),
                                       &end_row, &end_column)) {
        return false;
    }
    if (row != end_row || column > end_column || !judo_cell_in_grid(row) ||
        !judo_cell_in_grid(column) || !judo_cell_in_grid(end_column)) {
        return false;
    }
    for (int c = column; c <= end_column; c++) {
        int bit = (row - 1) * JUDO_GRID + c - 1;
        cells->bits[bit >> 6] |= UINT64_C(1) << (bit & 63);
    }
    return true;
}

/* The end of the token that starts at `from`: the next comma outside brackets. A comma is
 * inside when the next bracket behind it is a closing one. *bracket is where the search for
 * that bracket has come to (0 at the start of a list), so that a list is read in linear time.
 */
static inline JUDO_HD size_t judo_cells_token_end(judo_span list, size_t from, size_t *bracket)
{
    for (size_t at = from; at < list.length; at++) {
        if (list.text[at] != ',') {
            continue;
        }
        *bracket = *bracket > at ? *bracket : at + 1;
        while (*bracket < list.length && list.text[*bracket] != '(' &&
               list.text[*bracket] != ')') {
            (*bracket)++;
        }
        if (*bracket == list.length || list.text[*bracket] == '(') {
            return at;
        }
    }
    return list.length;
}

static inline JUDO_HD bool judo_span_is_none(judo_span text)
{
    return text.length == 4 && (text.text[0] | 0x20) == 'n' && (text.text[1] | 0x20) == 'o' &&
           (text.text[2] | 0x20) == 'n' && (text.text[3] | 0x20) == 'e';
}

/* The content of a tag, or a list of cells from elsewhere. *cells is set only on true. */
static inline JUDO_HD bool judo_cells_read_list(judo_span content, judo_cells_syntax rule,
                                                judo_cells *cells)
{
    judo_cells read = {{0, 0, 0, 0}};
    size_t bracket = 0;
    judo_span list = judo_span_strip(content);
    if (!judo_span_is_none(list)) {
        for (size_t at = 0; at < list.length;) {
            size_t end = judo_cells_token_end(list, at, &bracket);
            judo_span token = judo_span_strip(judo_span_slice(list, at, end));
            if (token.length > 0 && !judo_cells_add_token(token, rule, &read)) {
                return false;
            }
            at = end + 1;
        }
    }
    *cells = read;
    return true;
}

/* The first <seg> of a completion. *cells is empty unless the result is JUDO_CELLS_READ. */
static inline JUDO_HD judo_cells_state judo_cells_read_tag(judo_span completion,
                                                           judo_cells_syntax rule,
                                                           judo_cells *cells)
{
    judo_cells none = {{0, 0, 0, 0}};
    *cells = none;
    judo_span content = judo_tag_first(completion, "<seg>", "</seg>", rule.one_line);
    if (content.text == NULL) {
        return JUDO_CELLS_MISSING;
    }
    return judo_cells_read_list(content, rule, cells) ? JUDO_CELLS_READ : JUDO_CELLS_MALFORMED;
}

#endif
