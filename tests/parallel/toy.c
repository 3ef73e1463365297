/* tests/parallel/toy.c: the toy model and its reference. */
#include "tests/parallel/toy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double toy_max_norm = 1.5;

static void add_param(judo_param_layout *layout, const char *name, int64_t rows,
                      int64_t columns, bool frozen)
{
    judo_unit *unit = &layout->units[layout->num_units - 1];
    judo_param *param = &layout->params[layout->num_params++];
    *param = (judo_param){.num_dims = columns ? 2 : 1,
                          .dims = {rows, columns},
                          .count = columns ? rows * columns : rows,
                          .offset = unit->count,
                          .decay = columns != 0,
                          .frozen = frozen};
    (void)snprintf(param->name, sizeof param->name, "%.60s.%.60s", unit->name, name);
    unit->num_params++;
    unit->count += param->count;
}

static void add_unit(judo_param_layout *layout, const char *name, bool frozen)
{
    judo_unit *unit = &layout->units[layout->num_units++];
    *unit = (judo_unit){.first_param = layout->num_params, .frozen = frozen};
    (void)snprintf(unit->name, sizeof unit->name, "%s", name);
}

judo_status toy_layout_create(int scale, judo_param_layout *out)
{
    judo_param_layout layout = {.units = calloc(TOY_UNITS, sizeof *layout.units),
                                .params = calloc(16, sizeof *layout.params)};
    if (!layout.units || !layout.params) {
        toy_layout_destroy(&layout);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a toy");
    }
    add_unit(&layout, "embed", false);
    add_param(&layout, "weight", 37 * scale, 13, false);
    add_unit(&layout, "block.0", false);
    add_param(&layout, "matrix", 17 * scale, 7, false);
    add_param(&layout, "bias", 17 * scale, 0, false);
    add_param(&layout, "norm", 1, 0, false);
    add_unit(&layout, "tower", true);
    add_param(&layout, "weight", 11 * scale, 3, true);
    add_unit(&layout, "block.1", false);
    add_param(&layout, "matrix", 19 * scale, 5, false);
    add_param(&layout, "held", 23, 0, true);
    add_param(&layout, "bias", 5, 0, false);
    add_unit(&layout, "head.norm", false);
    add_param(&layout, "weight", 3, 0, false);
    *out = layout;
    return JUDO_OK;
}

void toy_layout_destroy(judo_param_layout *layout)
{
    free(layout->units);
    free(layout->params);
    *layout = (judo_param_layout){0};
}

float toy_initial(int param, int64_t element)
{
    return (float)sin(0.37 * (double)element + 1.7 * param);
}

float toy_rounded(float value, judo_dtype dtype)
{
    return dtype == JUDO_BF16 ? judo_bf16_to_f32(judo_f32_to_bf16(value)) : value;
}

static judo_status read_initial(void *context, const judo_param *param, int64_t first,
                                int64_t count, float *out)
{
    const judo_param_layout *layout = context;
    for (int64_t i = 0; i < count; i++) {
        out[i] = toy_initial((int)(param - layout->params), first + i);
    }
    return JUDO_OK;
}

judo_weight_source toy_source(const judo_param_layout *layout)
{
    return (judo_weight_source){.context = (void *)layout, .read = read_initial};
}

/* Each element wants to be at a target that depends on step and sample: loss (w - t)^2 / 2. */
static float target_of(int unit, int64_t element, int64_t step, int sample)
{
    uint32_t h =
        (uint32_t)(unit * 7919 + element * 104729 + step * 1299709 + sample * 15485863);
    h = (h ^ (h >> 13)) * 2654435761u;
    return (float)(h >> 8) / (float)(1 << 24) - 0.5f;
}

static double add_gradient(float *gradient, const float *weights, int64_t count, int unit,
                           int64_t step, int sample, float factor)
{
    double loss = 0;
    for (int64_t i = 0; i < count; i++) {
        float difference = weights[i] - target_of(unit, i, step, sample);
        if (gradient != NULL) {
            gradient[i] += factor * difference;
        }
        loss += 0.5 * (double)factor * (double)difference * (double)difference;
    }
    return loss / TOY_SAMPLES;
}

static const float tied_factor = 0.25f;

/* Adds the gradient and the loss of one unit over the rank's samples. */
static double unit_gradient(float *gradient, const float *weights, const judo_unit *unit, int u,
                            int rank, int size, int64_t step, float factor)
{
    double loss = 0;
    for (int sample = rank; sample < TOY_SAMPLES; sample += size) {
        loss += add_gradient(gradient, weights, unit->count, u, step, sample, factor);
    }
    return loss;
}

static judo_status forward(judo_params *params)
{
    judo_tensor weights;
    for (int u = 0; u < TOY_UNITS; u++) {
        int next = u + 1 < TOY_UNITS ? u + 1 : TOY_EMBED;
        JUDO_TRY(params->ops->acquire(params, u, next, &weights));
        if (u == TOY_HEAD_NORM) {
            judo_tensor tied;
            JUDO_TRY(params->ops->acquire(params, TOY_EMBED, TOY_HEAD_NORM - 1, &tied));
            JUDO_TRY(params->ops->release(params, TOY_EMBED));
        }
        JUDO_TRY(params->ops->release(params, u));
        params->ops->poll(params);
    }
    return JUDO_OK;
}

static judo_status give_gradient(judo_params *params, const judo_tensor *weights, int u,
                                 int rank, int size, int64_t step, float factor, double *loss)
{
    judo_tensor gradient;
    const judo_unit *unit = &params->layout->units[u];
    const int64_t bytes = unit->count * (int64_t)sizeof(float);
    if (unit->frozen) {
        return JUDO_OK;
    }
    JUDO_TRY(params->ops->gradient_begin(params, u, &gradient));
    void *lent = NULL;
    void *seen = NULL;
    void *sum = NULL;
    judo_status status =
        test_device_read(weights->data, unit->count * judo_dtype_bytes(weights->dtype), &lent);
    if (status == JUDO_OK) {
        status = test_device_read(gradient.data, bytes, &seen); /* for its room */
    }
    if (status == JUDO_OK) {
        status = test_device_read(gradient.data, bytes, &sum);
    }
    if (status == JUDO_OK) {
        judo_convert_to_f32(seen, lent, weights->dtype, unit->count);
        *loss += unit_gradient(sum, seen, unit, u, rank, size, step, factor);
        test_device_write(gradient.data, sum, bytes);
    }
    free(lent);
    free(seen);
    free(sum);
    JUDO_TRY(status);
    return params->ops->gradient_end(params, u);
}

judo_status toy_run(judo_params *params, int rank, int size, int64_t step, double *loss)
{
    JUDO_TRY(forward(params));
    for (int u = TOY_UNITS - 1; u >= 0; u--) {
        judo_tensor weights;
        JUDO_TRY(params->ops->acquire(params, u, u - 1, &weights));
        if (u == TOY_HEAD_NORM) {
            judo_tensor tied;
            JUDO_TRY(params->ops->acquire(params, TOY_EMBED, TOY_HEAD_NORM - 1, &tied));
            JUDO_TRY(
                give_gradient(params, &tied, TOY_EMBED, rank, size, step, tied_factor, loss));
            JUDO_TRY(params->ops->release(params, TOY_EMBED));
        }
        JUDO_TRY(give_gradient(params, &weights, u, rank, size, step, 1, loss));
        JUDO_TRY(params->ops->release(params, u));
    }
    return JUDO_OK;
}

judo_adamw toy_adamw(int64_t step)
{
    return (judo_adamw){.learning_rate = 0.01f,
                        .beta1 = 0.9f,
                        .beta2 = 0.95f,
                        .epsilon = 1e-8f,
                        .weight_decay = 0.1f,
                        .step = step,
                        .gradient_scale = 1.0f / TOY_SAMPLES};
}

judo_status toy_train_step(judo_comm *comm, judo_zero3 *zero3, int64_t step, double *loss)
{
    judo_adamw adamw = toy_adamw(step);
    judo_zero3_update update;
    double sum = 0;
    JUDO_TRY(judo_zero3_zero_gradients(zero3));
    JUDO_TRY(toy_run(judo_zero3_params(zero3), comm->rank, comm->size, step, &sum));
    JUDO_TRY(judo_comm_sum_f64(comm, &sum, 1));
    JUDO_TRY(judo_zero3_step(zero3, &adamw, toy_max_norm, &update));
    *loss = sum;
    return JUDO_OK;
}

static int64_t unit_offset(const judo_param_layout *layout, int unit)
{
    int64_t offset = 0;
    for (int u = 0; u < unit; u++) {
        offset += layout->units[u].count;
    }
    return offset;
}

int64_t toy_reference_offset(const toy_reference *reference, int param)
{
    const judo_param_layout *layout = reference->layout;
    int u = 0;
    while (param >= layout->units[u].first_param + layout->units[u].num_params) {
        u++;
    }
    return unit_offset(layout, u) + layout->params[param].offset;
}

judo_status toy_reference_create(const judo_param_layout *layout, judo_dtype compute_dtype,
                                 toy_reference *out)
{
    size_t total = (size_t)unit_offset(layout, layout->num_units);
    toy_reference reference = {.layout = layout,
                               .compute_dtype = compute_dtype,
                               .weights = calloc(total, sizeof(float)),
                               .seen = calloc(total, sizeof(float)),
                               .gradient = calloc(total, sizeof(float)),
                               .first_moment = calloc(total, sizeof(float)),
                               .second_moment = calloc(total, sizeof(float))};
    if (!reference.weights || !reference.seen || !reference.gradient ||
        !reference.first_moment || !reference.second_moment) {
        toy_reference_destroy(&reference);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a reference");
    }
    for (int p = 0; p < layout->num_params; p++) {
        int64_t offset = toy_reference_offset(&reference, p);
        for (int64_t i = 0; i < layout->params[p].count; i++) {
            reference.weights[offset + i] = toy_initial(p, i);
        }
    }
    *out = reference;
    return JUDO_OK;
}

void toy_reference_destroy(toy_reference *reference)
{
    free(reference->weights);
    free(reference->seen);
    free(reference->gradient);
    free(reference->first_moment);
    free(reference->second_moment);
    *reference = (toy_reference){0};
}

static double reference_gradient(toy_reference *reference, int64_t step)
{
    double loss = 0;
    for (int u = 0; u < TOY_UNITS; u++) {
        const judo_unit *unit = &reference->layout->units[u];
        int64_t at = unit_offset(reference->layout, u);
        memset(reference->gradient + at, 0, (size_t)unit->count * sizeof(float));
        for (int64_t i = at; i < at + unit->count; i++) {
            reference->seen[i] = toy_rounded(reference->weights[i], reference->compute_dtype);
        }
        for (int pass = 0; !unit->frozen && pass < (u == TOY_EMBED ? 2 : 1); pass++) {
            loss += unit_gradient(reference->gradient + at, reference->seen + at, unit, u, 0, 1,
                                  step, pass ? tied_factor : 1);
        }
    }
    return loss;
}

judo_status toy_reference_step(toy_reference *reference, int64_t step, double *loss)
{
    const judo_ops *ops = judo_ops_cpu();
    const judo_param_layout *layout = reference->layout;
    judo_adamw adamw = toy_adamw(step);
    double squares = 0;
    *loss = reference_gradient(reference, step);
    for (int p = 0; p < layout->num_params; p++) {
        double part;
        if (!layout->params[p].frozen) {
            const judo_tensor gradient =
                judo_tensor_1d(reference->gradient + toy_reference_offset(reference, p),
                               JUDO_F32, layout->params[p].count);
            JUDO_TRY(ops->sum_of_squares(&part, &gradient));
            squares += part;
        }
    }
    double norm = sqrt(squares) * (double)adamw.gradient_scale;
    double clip = toy_max_norm / (norm + 1e-6);
    adamw.gradient_scale = (float)((double)adamw.gradient_scale * (clip < 1 ? clip : 1));
    for (int p = 0; p < layout->num_params; p++) {
        int64_t at = toy_reference_offset(reference, p);
        const judo_adamw_arrays arrays = {.weights = reference->weights + at,
                                          .first_moment = reference->first_moment + at,
                                          .second_moment = reference->second_moment + at,
                                          .gradient = reference->gradient + at,
                                          .n = layout->params[p].count};
        const judo_adamw_segment all = {0, arrays.n, layout->params[p].decay};
        if (!layout->params[p].frozen) {
            JUDO_TRY(ops->adamw(&arrays, &all, 1, &adamw));
        }
    }
    return JUDO_OK;
}
