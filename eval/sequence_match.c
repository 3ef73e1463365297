/* eval/sequence_match.c: longest matching blocks, left and right of each again. */
#include "eval/sequence_match.h"

#include <stdlib.h>

typedef struct matcher {
    uint32_t *a, *b;
    bool *starts;  /* [length_b] whether b[j] may be part of a block's core */
    int64_t *runs; /* [2 * (length_b + 1)] lengths of the runs that end at j, two rows */
    int64_t length_a, length_b;
} matcher;

typedef struct range {
    int64_t a_low, a_high, b_low, b_high;
} range;

typedef struct block {
    int64_t a, b, size;
} block;

static int compare_codes(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *)left;
    uint32_t r = *(const uint32_t *)right;
    return (l > r) - (l < r);
}

static judo_status decode(judo_span text, uint32_t **out, int64_t *length)
{
    uint32_t *codes = malloc((text.length + 1) * sizeof *codes);
    if (codes == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to compare texts of %zu bytes",
                         text.length);
    }
    *length = 0;
    for (size_t at = 0; at < text.length;) {
        codes[(*length)++] = judo_span_next(text, &at);
    }
    *out = codes;
    return JUDO_OK;
}

/* difflib's "autojunk". */
static judo_status mark_popular(matcher *m)
{
    for (int64_t j = 0; j < m->length_b; j++) {
        m->starts[j] = true;
    }
    if (m->length_b < 200) {
        return JUDO_OK;
    }
    uint32_t *sorted = malloc((size_t)m->length_b * sizeof *sorted);
    if (sorted == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to compare texts");
    }
    for (int64_t j = 0; j < m->length_b; j++) {
        sorted[j] = m->b[j];
    }
    qsort(sorted, (size_t)m->length_b, sizeof *sorted, compare_codes);
    for (int64_t first = 0; first < m->length_b;) {
        int64_t end = first;
        while (end < m->length_b && sorted[end] == sorted[first]) {
            end++;
        }
        for (int64_t j = 0; end - first > m->length_b / 100 + 1 && j < m->length_b; j++) {
            m->starts[j] = m->starts[j] && m->b[j] != sorted[first];
        }
        first = end;
    }
    free(sorted);
    return JUDO_OK;
}

static block longest_block(const matcher *m, range r)
{
    block best = {r.a_low, r.b_low, 0};
    int64_t *before = m->runs;
    int64_t *now = m->runs + m->length_b + 1;
    for (int64_t j = r.b_low; j <= r.b_high; j++) {
        before[j] = 0;
        now[j] = 0;
    }
    for (int64_t i = r.a_low; i < r.a_high; i++) { /* run that ends at b[j]: entry j + 1 */
        for (int64_t j = r.b_low; j < r.b_high; j++) {
            now[j + 1] = m->starts[j] && m->a[i] == m->b[j] ? before[j] + 1 : 0;
            if (now[j + 1] > best.size) {
                best = (block){i - now[j + 1] + 1, j - now[j + 1] + 1, now[j + 1]};
            }
        }
        int64_t *swap = before;
        before = now;
        now = swap;
    }
    while (best.a > r.a_low && best.b > r.b_low && m->a[best.a - 1] == m->b[best.b - 1]) {
        best = (block){best.a - 1, best.b - 1, best.size + 1};
    }
    while (best.a + best.size < r.a_high && best.b + best.size < r.b_high &&
           m->a[best.a + best.size] == m->b[best.b + best.size]) {
        best.size++;
    }
    return best;
}

/* The left part by recursion (never deeper than a is long), the right part by iteration. */
static int64_t matching(const matcher *m, range r)
{
    int64_t total = 0;
    while (r.a_low < r.a_high && r.b_low < r.b_high) {
        block found = longest_block(m, r);
        if (found.size == 0) {
            break;
        }
        total += found.size;
        total += matching(m, (range){r.a_low, found.a, r.b_low, found.b});
        r.a_low = found.a + found.size;
        r.b_low = found.b + found.size;
    }
    return total;
}

judo_status judo_sequence_ratio(judo_span a, judo_span b, double *out)
{
    matcher m = {0};
    judo_status status = JUDO_OK;
    JUDO_TRY_GOTO(status, done, decode(a, &m.a, &m.length_a));
    JUDO_TRY_GOTO(status, done, decode(b, &m.b, &m.length_b));
    m.starts = malloc((size_t)m.length_b + 1);
    m.runs = calloc(2 * ((size_t)m.length_b + 1), sizeof *m.runs);
    if (m.starts == NULL || m.runs == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to compare texts");
        goto done;
    }
    JUDO_TRY_GOTO(status, done, mark_popular(&m));
    int64_t length = m.length_a + m.length_b;
    *out = length == 0 ? 1.0
                       : 2.0 * (double)matching(&m, (range){0, m.length_a, 0, m.length_b}) /
                             (double)length;
done:
    free(m.a);
    free(m.b);
    free(m.starts);
    free(m.runs);
    return status;
}
