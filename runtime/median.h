/* runtime/median.h: the middle of measurements. */
#ifndef JUDO_RUNTIME_MEDIAN_H
#define JUDO_RUNTIME_MEDIAN_H

#include <stdint.h>

/* Of count >= 1 values, which are sorted; the mean of the middle two of an even count. NaN, and
 * no order, if one of them is. */
double judo_median(double *values, int64_t count);

#endif
