/* runtime/median.c: see median.h. */
#include "runtime/median.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double judo_median(double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            return NAN;
        }
    }
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}
