/* tests/faults/sabotage.c: the deeds, and parameters with strikes inside. */
#include "tests/faults/sabotage.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { VICTIM = 1 }; /* the unit in which a step is struck */

judo_status sabotage_strike(const sabotage *self, const char *phase, long step)
{
    if (strcmp(self->phase, phase) != 0 || self->comm->rank != self->rank) {
        return JUDO_OK;
    }
    if (strcmp(self->deed, "slow") == 0) {
        (void)usleep(30000); /* in every step */
        return JUDO_OK;
    }
    if (step != self->step) {
        return JUDO_OK;
    }
    if (strcmp(self->deed, "kill") == 0) {
        (void)raise(SIGKILL);
    } else if (strcmp(self->deed, "stop") == 0) {
        (void)raise(SIGSTOP);
    } else if (strcmp(self->deed, "signal") == 0) {
        (void)raise(SIGUSR1);
    } else if (strcmp(self->deed, "exit") == 0) {
        _exit(3);
    } else if (strcmp(self->deed, "fail") == 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "sample.png: damaged PNG in step %ld", step);
    }
    return JUDO_OK;
}

bool sabotage_skips(const sabotage *self, const char *phase, long step)
{
    return strcmp(self->deed, "skip") == 0 && strcmp(self->phase, phase) == 0 &&
           self->comm->rank == self->rank && step == self->step;
}

judo_status sabotage_flip(const sabotage *self, judo_params *copy, long step)
{
    judo_tensor weights;
    if (strcmp(self->deed, "flip") != 0 || self->comm->rank != self->rank ||
        self->step != step) {
        return JUDO_OK;
    }
    JUDO_TRY(copy->ops->acquire(copy, VICTIM, -1, &weights));
    ((unsigned char *)weights.data)[17] ^= 4;
    return copy->ops->release(copy, VICTIM);
}

static struct {
    judo_params base;
    judo_params *inner;
    const sabotage *self;
    long step;
    judo_tensor gradient;
} current;

static judo_status acquire(judo_params *params, int unit, int next, judo_tensor *weights)
{
    (void)params;
    JUDO_TRY(current.inner->ops->acquire(current.inner, unit, next, weights));
    return unit == VICTIM && next != VICTIM - 1
               ? sabotage_strike(current.self, "forward", current.step)
               : JUDO_OK;
}

static judo_status release(judo_params *params, int unit)
{
    (void)params;
    return current.inner->ops->release(current.inner, unit);
}

static judo_status gradient_begin(judo_params *params, int unit, judo_tensor *gradient)
{
    (void)params;
    JUDO_TRY(current.inner->ops->gradient_begin(current.inner, unit, gradient));
    current.gradient = *gradient;
    return unit == VICTIM ? sabotage_strike(current.self, "backward", current.step) : JUDO_OK;
}

static judo_status gradient_end(judo_params *params, int unit)
{
    (void)params;
    const sabotage *self = current.self;
    if (unit == VICTIM && strcmp(self->deed, "nan") == 0 && self->step == current.step &&
        self->comm->rank == self->rank) {
        ((float *)current.gradient.data)[3] = NAN;
    }
    if (unit == VICTIM) {
        JUDO_TRY(sabotage_strike(self, "reduction", current.step));
    }
    return current.inner->ops->gradient_end(current.inner, unit);
}

static void poll(judo_params *params)
{
    (void)params;
    current.inner->ops->poll(current.inner);
}

judo_params *sabotage_params(const sabotage *self, judo_params *inner, long step)
{
    static const judo_params_ops ops = {.acquire = acquire,
                                        .release = release,
                                        .gradient_begin = gradient_begin,
                                        .gradient_end = gradient_end,
                                        .poll = poll};
    current.base = *inner;
    current.base.ops = &ops;
    current.inner = inner;
    current.self = self;
    current.step = step;
    return &current.base;
}
