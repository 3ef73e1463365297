/* tests/parallel/test_zero3_modes.c: however it is sharded, training is the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/parallel/mpi_main.h"
#include "tests/parallel/toy.h"

enum { KINDS = 3 }; /* weights and two moments */

typedef struct mode {
    const char *name;
    judo_zero3_options options;
    bool same_bits; /* as stage 3: the same sums in the same order */
} mode;

/* Whole gradients add the two uses of the tied unit first, groups add in another order. */
static const mode modes[] = {
    {"stage 3", {0}, true},
    {"stage 3, one gradient buffer", {.no_overlap = true}, true},
    {"stage 3, no prefetch", {.no_prefetch = true}, true},
    {"stage 3, three ahead", {.prefetch = 3}, true},
    {"stage 3, small units whole", {.whole_below = 300}, true},
    {"stage 3, optimizer offloaded", {.offload = true}, true},
    {"stage 2", {.whole_weights = true}, true},
    {"stage 1", {.whole_weights = true, .whole_gradients = true}, false},
    {"stage 3, whole gradients", {.whole_gradients = true}, false},
    {"stage 0", {.group_size = 1, .whole_weights = true, .whole_gradients = true}, false},
    {"machines", {.group_size = JUDO_GROUP_OF_NODE}, true}, /* here: one */
    {"hybrid 2", {.group_size = 2}, false},
    {"hybrid 2, stage 2", {.group_size = 2, .whole_weights = true}, false},
    {"hybrid 2, optimizer offloaded", {.group_size = 2, .offload = true}, false},
    {"hybrid 2, stage 1",
     {.group_size = 2, .whole_weights = true, .whole_gradients = true},
     false},
};

enum { NUM_MODES = sizeof modes / sizeof modes[0] };

static bool fits(const mode *m)
{
    return m->options.group_size <= 0 || process.comm->size % m->options.group_size == 0;
}

static judo_zero3 *create(const judo_param_layout *layout, judo_zero3_options options)
{
    judo_zero3 *zero3 = NULL;
    judo_weight_source source = toy_source(layout);
    assert_ok(judo_zero3_create(process.comm, layout, test_device(), &options, &zero3));
    assert_ok(judo_zero3_load(zero3, &source));
    return zero3;
}

static int64_t total_of(const judo_param_layout *layout)
{
    int64_t total = 0;
    for (int p = 0; p < layout->num_params; p++) {
        total += layout->params[p].count;
    }
    return total;
}

static float *kind_of(const judo_zero3_owned *part, int kind)
{
    float *const kinds[KINDS] = {part->weights, part->first_moment, part->second_moment};
    return part->count > 0 ? kinds[kind] : NULL;
}

/* The owned parts of all ranks, put together: [KINDS][total]. free() it. */
static double *whole_state(judo_zero3 *zero3)
{
    const judo_param_layout *layout = judo_zero3_layout(zero3);
    int64_t total = total_of(layout);
    double *state = calloc((size_t)(KINDS * total), sizeof *state);
    for (int kind = 0; kind < KINDS; kind++) {
        int64_t at = kind * total;
        for (int p = 0; p < layout->num_params; p++) {
            judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
            float *there = kind_of(&part, kind);
            float *values = there ? test_device_get(there, part.count * 4) : NULL;
            for (int64_t i = 0; values != NULL && i < part.count; i++) {
                state[at + part.first + i] = (double)values[i];
            }
            free(values);
            at += layout->params[p].count;
        }
    }
    assert_ok(judo_comm_sum_f64(process.comm, state, (int)(KINDS * total)));
    return state;
}

/* As a checkpoint does: each rank its own part. */
static void restore(judo_zero3 *zero3, const double *state)
{
    const judo_param_layout *layout = judo_zero3_layout(zero3);
    int64_t total = total_of(layout);
    assert_ok(judo_zero3_weights_changed(zero3));
    for (int kind = 0; kind < KINDS; kind++) {
        int64_t at = kind * total;
        for (int p = 0; p < layout->num_params; p++) {
            judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
            float *there = kind_of(&part, kind);
            float *values = there ? test_device_get(there, part.count * 4) : NULL;
            for (int64_t i = 0; values != NULL && i < part.count; i++) {
                values[i] = (float)state[at + part.first + i];
            }
            if (values != NULL) {
                test_device_write(there, values, part.count * 4);
            }
            free(values);
            at += layout->params[p].count;
        }
    }
}

static void compare(const char *name, const judo_param_layout *layout, const double *a,
                    const double *b, double tolerance)
{
    for (int64_t i = 0; i < KINDS * total_of(layout); i++) {
        if (fabs(a[i] - b[i]) > tolerance) {
            print_error("%s: element %lld: %.9g, not %.9g\n", name, (long long)i, a[i], b[i]);
        }
        assert_true(fabs(a[i] - b[i]) <= tolerance);
    }
}

/* Some steps of two micro-batches with a norm between, from `first`. */
static void train(judo_zero3 *zero3, int64_t first, int64_t count)
{
    const judo_comm *comm = process.comm;
    judo_params *params = judo_zero3_params(zero3);
    for (int64_t step = first; step < first + count; step++) {
        double loss = 0;
        double norm = 0;
        judo_adamw adamw = toy_adamw(step);
        judo_zero3_update update;
        assert_ok(judo_zero3_zero_gradients(zero3));
        assert_ok(toy_run(params, comm->rank, comm->size, 2 * step, &loss));
        if (step % 3 == 0) {
            assert_ok(judo_zero3_gradient_norm(zero3, &norm));
        }
        assert_ok(toy_run(params, comm->rank, comm->size, 2 * step + 1, &loss));
        assert_ok(judo_zero3_step(zero3, &adamw, toy_max_norm, &update));
        assert_true(update.applied);
    }
}

static double *train_and_collect(const judo_param_layout *layout, judo_zero3_options options)
{
    judo_zero3 *zero3 = create(layout, options);
    train(zero3, 1, test_device()->separate ? 3 : 6); /* the guard is slow */
    double *state = whole_state(zero3);
    judo_zero3_destroy(&zero3);
    return state;
}

static void check_all_modes(judo_dtype compute, judo_dtype wire, double tolerance)
{
    judo_param_layout layout;
    assert_ok(toy_layout_create(1, &layout));
    double *expected = train_and_collect(
        &layout, (judo_zero3_options){.compute_dtype = compute, .gradient_dtype = wire});
    for (int m = 0; m < NUM_MODES; m++) {
        if (fits(&modes[m])) {
            judo_zero3_options options = modes[m].options;
            options.compute_dtype = compute;
            options.gradient_dtype = wire;
            double *found = train_and_collect(&layout, options);
            compare(modes[m].name, &layout, found, expected,
                    modes[m].same_bits ? 0 : tolerance);
            free(found);
        }
    }
    free(expected);
    toy_layout_destroy(&layout);
}

static void test_zero3_modes__train_alike(void **state)
{
    (void)state;
    check_all_modes(JUDO_F32, JUDO_F32, 1e-6);
}

/* A weight that rounds to the other side is 2^-8 away. */
static void test_zero3_modes__train_alike_in_bf16(void **state)
{
    (void)state;
    if (!test_device()->separate) {
        check_all_modes(JUDO_BF16, JUDO_F32, 5e-3);
    }
    check_all_modes(JUDO_BF16, JUDO_BF16, 5e-2);
}

static void test_zero3_modes__go_on_from_the_state_of_another(void **state)
{
    judo_param_layout layout;
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    judo_zero3 *first = create(&layout, (judo_zero3_options){0});
    train(first, 1, 3);
    double *middle = whole_state(first);
    train(first, 4, 3);
    double *expected = whole_state(first);
    judo_zero3_destroy(&first);
    for (int m = 0; m < NUM_MODES; m++) {
        if (fits(&modes[m])) {
            judo_zero3 *second = create(&layout, modes[m].options);
            train(second, 9, 1); /* leaves something to be replaced everywhere */
            restore(second, middle);
            train(second, 4, 3);
            double *found = whole_state(second);
            compare(modes[m].name, &layout, found, expected, modes[m].same_bits ? 0 : 1e-6);
            free(found);
            judo_zero3_destroy(&second);
        }
    }
    free(middle);
    free(expected);
    toy_layout_destroy(&layout);
}

static void test_zero3_modes__lend_the_same_weights_for_generation(void **state)
{
    judo_param_layout layout;
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    for (int m = 0; m < NUM_MODES; m++) {
        if (!fits(&modes[m])) {
            continue;
        }
        judo_params *resident = NULL;
        judo_zero3 *zero3 = create(&layout, modes[m].options);
        train(zero3, 1, 1);
        double *expected = whole_state(zero3);
        assert_ok(judo_zero3_gather_resident(zero3, &resident));
        int64_t at = 0;
        for (int u = 0; u < TOY_UNITS; u++) {
            judo_tensor weights;
            assert_ok(resident->ops->acquire(resident, u, -1, &weights));
            float *values = test_device_get(weights.data, weights.dims[0] * 4);
            for (int64_t i = 0; i < weights.dims[0]; i++) {
                assert_true((double)values[i] == expected[at++]);
            }
            free(values);
            assert_ok(resident->ops->release(resident, u));
        }
        judo_zero3_release_resident(zero3);
        judo_zero3_destroy(&zero3);
        free(expected);
    }
    toy_layout_destroy(&layout);
}

static int64_t device_memory_left(void)
{
    int64_t left = 0;
    int64_t total = 0;
    assert_ok(test_device()->memory(&left, &total));
    return left;
}

static void test_zero3_modes__take_what_was_planned(void **state)
{
    judo_param_layout layout;
    (void)state;
    assert_ok(toy_layout_create(8, &layout));
    for (int m = 0; m < 2 * NUM_MODES; m++) {
        judo_zero3_options options = modes[m / 2].options;
        judo_zero3_bytes plan;
        options.compute_dtype = m % 2 ? JUDO_BF16 : JUDO_F32;
        options.offload = options.offload && test_device()->separate;
        if (fits(&modes[m / 2])) {
            int64_t before = device_memory_left();
            judo_zero3 *zero3 = create(&layout, options);
            judo_zero3_bytes taken = judo_zero3_allocated(zero3);
            if (test_device()->separate) { /* the host's memory is everybody's */
                assert_int_equal(before - device_memory_left(), taken.total);
            }
            assert_ok(judo_zero3_group_size(process.comm, &options, &options.group_size));
            assert_ok(judo_zero3_plan(&layout, process.comm->size, &options, &plan));
            assert_memory_equal(&plan, &taken, sizeof plan);
            judo_zero3_destroy(&zero3);
        }
    }
    toy_layout_destroy(&layout);
}

/* Rajbhandari et al. 2020: with W the weights' bytes, one rank of N stores 4 W, 2 W + 2 W / N,
 * W + 3 W / N, 4 W / N; here up to the padding, and without the buffers of stages 2 and 3. */
static void test_zero3_modes__save_what_the_paper_says(void **state)
{
    judo_param_layout layout;
    judo_zero3_bytes bytes;
    (void)state;
    assert_ok(toy_layout_create(4000, &layout));
    layout.units[TOY_FROZEN].frozen = false; /* all of it is trained */
    const double w = (double)total_of(&layout) * sizeof(float);
    const double expected[4] = {4 * w, 2 * w + 2 * w / 8, w + 3 * w / 8, 4 * w / 8};
    for (int stage = 0; stage < 4; stage++) {
        judo_zero3_options options = judo_zero3_stage(stage);
        assert_ok(judo_zero3_plan(&layout, 8, &options, &bytes));
        double stored =
            (double)(bytes.total - bytes.gradient_buffer - (stage == 3 ? bytes.gathered : 0));
        assert_true(fabs(stored - expected[stage]) < 0.002 * w);
    }
    judo_zero3_options groups = {.group_size = 2};
    assert_ok(judo_zero3_plan(&layout, 8, &groups, &bytes));
    assert_true(fabs((double)bytes.moments - w) < 0.002 * w);
    groups.group_size = 3;
    assert_int_equal(judo_zero3_plan(&layout, 8, &groups, &bytes), JUDO_ERROR_ARGUMENT);
    toy_layout_destroy(&layout);
}

static void test_zero3_modes__whole_gradients_are_summed_once_per_step(void **state)
{
    judo_param_layout layout;
    double loss = 0;
    double norm = 0;
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    for (int stage = 0; stage < 2; stage++) {
        judo_zero3 *zero3 = create(&layout, judo_zero3_stage(stage));
        judo_params *params = judo_zero3_params(zero3);
        const judo_comm *comm = process.comm;
        assert_ok(judo_zero3_zero_gradients(zero3));
        assert_ok(toy_run(params, comm->rank, comm->size, 1, &loss)); /* gathers the weights */
        int64_t before = comm->recorder.last;
        assert_ok(toy_run(params, comm->rank, comm->size, 2, &loss));
        assert_ok(toy_run(params, comm->rank, comm->size, 3, &loss));
        assert_int_equal(comm->recorder.last, before);
        assert_ok(judo_zero3_gradient_norm(zero3, &norm));
        assert_true(norm > 0);
        judo_zero3_destroy(&zero3);
    }
    toy_layout_destroy(&layout);
}

/* What follows (unit, next) is known from the pass before. */
static void test_zero3_modes__fetch_as_many_units_ahead_as_told(void **state)
{
    judo_param_layout layout;
    judo_tensor weights;
    (void)state;
    if (test_device()->separate) {
        skip(); /* another communicator counts */
    }
    assert_ok(toy_layout_create(1, &layout));
    for (int depth = 1; depth <= 3; depth++) {
        judo_zero3 *zero3 = create(&layout, (judo_zero3_options){.prefetch = depth});
        judo_params *params = judo_zero3_params(zero3);
        const judo_comm *comm = process.comm;
        for (int pass = 0; pass < 2; pass++) {
            assert_ok(judo_zero3_weights_changed(zero3));
            int64_t before = comm->recorder.last;
            for (int u = 0; u < TOY_UNITS; u++) {
                assert_ok(
                    params->ops->acquire(params, u, u + 1 < TOY_UNITS ? u + 1 : -1, &weights));
                if (u == 0) {
                    int expected = comm->size == 1 ? 0 : 1 + (pass == 0 ? 1 : depth);
                    assert_int_equal(comm->recorder.last - before, expected);
                }
                assert_ok(params->ops->release(params, u));
            }
        }
        judo_zero3_destroy(&zero3);
    }
    toy_layout_destroy(&layout);
}

static void test_zero3_modes__refuse_what_does_not_fit(void **state)
{
    judo_param_layout layout;
    judo_zero3 *zero3 = NULL;
    judo_zero3_options uneven = {.group_size = process.comm->size + 1};
    judo_zero3_options deep = {.prefetch = JUDO_MAX_PREFETCH + 1};
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    assert_int_equal(judo_zero3_create(process.comm, &layout, test_device(), &uneven, &zero3),
                     JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "do not fill groups"));
    assert_int_equal(judo_zero3_create(process.comm, &layout, test_device(), &deep, &zero3),
                     JUDO_ERROR_ARGUMENT);
    assert_null(zero3);
    toy_layout_destroy(&layout);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_zero3_modes__train_alike),
    cmocka_unit_test(test_zero3_modes__train_alike_in_bf16),
    cmocka_unit_test(test_zero3_modes__go_on_from_the_state_of_another),
    cmocka_unit_test(test_zero3_modes__lend_the_same_weights_for_generation),
    cmocka_unit_test(test_zero3_modes__take_what_was_planned),
    cmocka_unit_test(test_zero3_modes__save_what_the_paper_says),
    cmocka_unit_test(test_zero3_modes__whole_gradients_are_summed_once_per_step),
    cmocka_unit_test(test_zero3_modes__fetch_as_many_units_ahead_as_told),
    cmocka_unit_test(test_zero3_modes__refuse_what_does_not_fit),
};

JUDO_MPI_TEST_MAIN(tests)
