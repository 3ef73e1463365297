/* parallel/coverage.c: intervals ahead of a growing front. */
#include "parallel/coverage.h"

#include <stdlib.h>

struct judo_interval {
    int64_t first, end;
    judo_interval *behind; /* the next one up */
};

/* Moves the front over what lies at it. */
static void absorb(judo_coverage *coverage)
{
    while (coverage->ahead != NULL && coverage->ahead->first == coverage->next) {
        judo_interval *reached = coverage->ahead;
        coverage->next = reached->end;
        coverage->ahead = reached->behind;
        free(reached);
    }
}

judo_status judo_coverage_add(judo_coverage *coverage, int64_t first, int64_t end, bool *again)
{
    judo_interval **place = &coverage->ahead;
    while (*place != NULL && (*place)->end <= first) {
        place = &(*place)->behind;
    }
    *again = first < coverage->next || (*place != NULL && (*place)->first < end);
    if (*again) {
        return JUDO_OK;
    }
    if (first == coverage->next) {
        coverage->next = end;
        absorb(coverage);
        return JUDO_OK;
    }
    judo_interval *added = malloc(sizeof *added);
    if (added == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a range of elements");
    }
    *added = (judo_interval){.first = first, .end = end, .behind = *place};
    *place = added;
    return JUDO_OK;
}

void judo_coverage_free(judo_coverage *coverage)
{
    while (coverage->ahead != NULL) {
        judo_interval *first = coverage->ahead;
        coverage->ahead = first->behind;
        free(first);
    }
}
