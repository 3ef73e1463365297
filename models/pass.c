/* models/pass.c: a pass's dealings with the parameters, in the static order. */
#include "models/model_state.h"
#include "runtime/log.h"
#include "runtime/timeline.h"

judo_status judo_pass_acquire(judo_pass *pass, int unit, judo_unit_view *view)
{
    const judo_param_layout *layout = pass->model->layout;
    if (pass->cursor >= pass->schedule_length || pass->schedule[pass->cursor] != unit ||
        pass->num_held >= JUDO_PASS_MAX_HELD) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "unit %s acquired out of the schedule's order",
                         layout->units[unit].name);
    }
    pass->cursor++;
    int next = pass->cursor < pass->schedule_length ? pass->schedule[pass->cursor] : -1;
    judo_tensor weights;
    JUDO_TRY(pass->params->ops->acquire(pass->params, unit, next, &weights));
    pass->acquired[pass->num_held] = judo_clock();
    pass->held[pass->num_held++] = unit;
    *view = (judo_unit_view){.layout = layout, .unit = unit, .weights = weights};
    return JUDO_OK;
}

judo_status judo_pass_release(judo_pass *pass, int unit)
{
    for (int i = 0; i < pass->num_held; i++) {
        if (pass->held[i] == unit) {
            judo_timeline_span(JUDO_LANE_COMPUTE, pass->model->layout->units[unit].name,
                               pass->acquired[i], judo_clock());
            pass->held[i] = pass->held[--pass->num_held];
            pass->acquired[i] = pass->acquired[pass->num_held];
            return pass->params->ops->release(pass->params, unit);
        }
    }
    return JUDO_FAIL(JUDO_ERROR_INTERNAL, "unit %s released but not held",
                     pass->model->layout->units[unit].name);
}

judo_status judo_pass_gradient_begin(judo_pass *pass, judo_unit_view *view)
{
    if (pass->model->layout->units[view->unit].frozen) {
        return JUDO_OK;
    }
    return pass->params->ops->gradient_begin(pass->params, view->unit, &view->gradient);
}

judo_status judo_pass_gradient_end(judo_pass *pass, judo_unit_view *view)
{
    if (pass->model->layout->units[view->unit].frozen) {
        return JUDO_OK;
    }
    view->gradient = (judo_tensor){0};
    return pass->params->ops->gradient_end(pass->params, view->unit);
}

void judo_pass_abandon(judo_pass *pass)
{
    while (pass->num_held > 0) {
        /* The pass has failed already; the first cause is the one to report. */
        (void)!pass->params->ops->release(pass->params, pass->held[--pass->num_held]);
    }
}
