/* tests/models/traced_params.c: a recorder in front of other parameters. */
#include "tests/models/traced_params.h"

#include <string.h>

#include "tests/models/fixture.h"

static void note(traced_params *t, char kind, int unit)
{
    assert_true(t->count < TRACE_MOST);
    t->kind[t->count] = kind;
    t->unit[t->count++] = unit;
}

static judo_status acquire(judo_params *params, int unit, int next_unit, judo_tensor *weights)
{
    traced_params *t = (traced_params *)params;
    assert_false(t->held[unit]);
    if (t->hint != -2) {
        assert_int_equal(t->hint, unit);
    }
    t->held[unit] = true;
    t->hint = next_unit;
    note(t, 'a', unit);
    return t->inner->ops->acquire(t->inner, unit, next_unit, weights);
}

static judo_status release(judo_params *params, int unit)
{
    traced_params *t = (traced_params *)params;
    assert_true(t->held[unit]);
    t->held[unit] = false;
    note(t, 'r', unit);
    return t->inner->ops->release(t->inner, unit);
}

static judo_status gradient_begin(judo_params *params, int unit, judo_tensor *gradient)
{
    traced_params *t = (traced_params *)params;
    assert_false(t->begun[unit]);
    t->begun[unit] = true;
    note(t, 'b', unit);
    return t->inner->ops->gradient_begin(t->inner, unit, gradient);
}

static judo_status gradient_end(judo_params *params, int unit)
{
    traced_params *t = (traced_params *)params;
    assert_true(t->begun[unit]);
    t->begun[unit] = false;
    note(t, 'e', unit);
    return t->inner->ops->gradient_end(t->inner, unit);
}

static void poll_inner(judo_params *params)
{
    ((traced_params *)params)->polls++;
}

void traced_init(traced_params *t, judo_params *inner)
{
    static const judo_params_ops ops = {.acquire = acquire,
                                        .release = release,
                                        .gradient_begin = gradient_begin,
                                        .gradient_end = gradient_end,
                                        .poll = poll_inner};
    memset(t, 0, sizeof *t);
    t->base = *inner;
    t->base.ops = &ops;
    t->inner = inner;
    t->hint = -2;
}

void traced_check_end(const traced_params *t)
{
    assert_int_equal(t->hint, -1);
    for (int i = 0; i < TRACE_MOST; i++) {
        assert_false(t->held[i]);
        assert_false(t->begun[i]);
    }
}
