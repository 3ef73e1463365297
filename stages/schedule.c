/* stages/schedule.c: learning-rate schedules. */
#include "stages/schedule.h"

#include <math.h>

double judo_schedule_factor(judo_schedule_kind kind, int64_t step, int64_t warmup,
                            int64_t total, double minimum)
{
    static const double pi = 3.14159265358979323846;
    if (step < warmup) {
        return (double)step / (double)(warmup > 1 ? warmup : 1);
    }
    double span = (double)(total - warmup > 1 ? total - warmup : 1);
    double progress = fmin(1.0, (double)(step - warmup) / span);
    switch (kind) {
    case JUDO_SCHEDULE_LINEAR:
        return minimum + (1.0 - minimum) * (1.0 - progress);
    case JUDO_SCHEDULE_COSINE:
        return minimum + (1.0 - minimum) * 0.5 * (1.0 + cos(pi * progress));
    case JUDO_SCHEDULE_CONSTANT:
        return 1.0;
    }
    return 1.0;
}
