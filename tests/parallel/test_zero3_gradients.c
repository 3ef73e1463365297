/* tests/parallel/test_zero3_gradients.c: gradients kept in bf16 are those kept in fp32 but for
 * one rounding of each pass's sum, and take half the memory. */
#include <math.h>

#include "tests/parallel/trainer.h"

/* A number's distance from the nearest bf16 one is at most so much of it. */
static const double unit_roundoff = 0x1p-8;

typedef struct sharding {
    const char *name;
    judo_zero3_options options;
} sharding;

static const sharding shardings[] = {
    {"stage 0", {.group_size = 1, .whole_weights = true, .whole_gradients = true}},
    {"stage 1", {.whole_weights = true, .whole_gradients = true}},
    {"stage 2", {.whole_weights = true}},
    {"stage 3", {.compute_dtype = JUDO_BF16, .split_master = true}},
    {"stage 3, one gradient buffer", {.no_overlap = true}},
    {"stage 3, whole gradients", {.whole_gradients = true}},
    {"stage 3, bf16 on the wire", {.gradient_dtype = JUDO_BF16}},
    {"stage 3, offloaded", {.compute_dtype = JUDO_BF16, .offload = true}},
    {"hybrid 2", {.group_size = 2}},
    {"hybrid 2, stage 1", {.group_size = 2, .whole_weights = true, .whole_gradients = true}},
};

enum { NUM_SHARDINGS = sizeof shardings / sizeof shardings[0] };

static bool fits(const sharding *s)
{
    return s->options.group_size <= 0 || process.comm->size % s->options.group_size == 0;
}

static judo_zero3_options options_of(const sharding *s, judo_dtype storage)
{
    judo_zero3_options options = s->options;
    options.offload = options.offload && test_device()->separate;
    options.gradient_storage = storage;
    return options;
}

/* Whether a pass's gradient is rounded behind its sum over all ranks, and nowhere else. */
static bool is_rounded_once(const judo_zero3_options *options)
{
    return process.comm->size == 1 || (options->group_size == 0 && !options->whole_gradients);
}

typedef struct passes {
    int rank, size; /* whose samples */
    int64_t first, count;
    bool norm_between; /* each completes the sums over ranks */
} passes;

static int64_t total_of(const judo_param_layout *layout)
{
    int64_t total = 0;
    for (int p = 0; p < layout->num_params; p++) {
        total += layout->params[p].count;
    }
    return total;
}

/* The sums of gradients of all ranks, parameters behind each other: the first moments of a
 * first step that forgets nothing and adds nothing. free() them. */
static double *gradients_of(judo_comm *comm, const judo_zero3_options *options,
                            const passes *of)
{
    trainer t;
    double loss = 0;
    double norm = 0;
    judo_zero3_update update;
    const judo_adamw adamw = {
        .beta1 = 0, .beta2 = 0.5, .epsilon = 1, .step = 1, .gradient_scale = 1};
    open_on(&t, comm, test_device(), options);
    assert_ok(judo_zero3_zero_gradients(t.zero3));
    for (int64_t pass = of->first; pass < of->first + of->count; pass++) {
        assert_ok(toy_run(judo_zero3_params(t.zero3), of->rank, of->size, pass, &loss));
        if (of->norm_between) {
            assert_ok(judo_zero3_gradient_norm(t.zero3, &norm));
        }
    }
    assert_ok(judo_zero3_step(t.zero3, &adamw, 0, &update));
    assert_true(update.applied);
    double *out = calloc((size_t)total_of(&t.layout), sizeof *out);
    int64_t at = 0;
    for (int p = 0; p < t.layout.num_params; p++) {
        const judo_zero3_owned part = judo_zero3_owned_part(t.zero3, p);
        float *there =
            part.first_moment ? test_device_get(part.first_moment, part.count * 4) : NULL;
        for (int64_t i = 0; there != NULL && i < part.count; i++) {
            out[at + part.first + i] = (double)there[i];
        }
        free(there);
        at += t.layout.params[p].count;
    }
    assert_ok(judo_comm_sum_f64(comm, out, (int)at));
    close_trainer(&t);
    return out;
}

/* Of each rank and pass alone: the sums of their absolute values. */
static double *sizes_of(judo_comm *self, const passes *of)
{
    const judo_zero3_options plain = {0};
    judo_param_layout layout;
    assert_ok(toy_layout_create(4, &layout));
    const int64_t total = total_of(&layout);
    toy_layout_destroy(&layout);
    double *sizes = calloc((size_t)total, sizeof *sizes);
    for (int64_t pass = of->first; pass < of->first + of->count; pass++) {
        for (int rank = 0; rank < of->size; rank++) {
            const passes one = {rank, of->size, pass, 1, false};
            double *gradients = gradients_of(self, &plain, &one);
            for (int64_t i = 0; i < total; i++) {
                sizes[i] += fabs(gradients[i]);
            }
            free(gradients);
        }
    }
    return sizes;
}

static void compare(const char *name, const double *found, const double *expected,
                    const double *bound)
{
    judo_param_layout layout;
    assert_ok(toy_layout_create(4, &layout));
    int64_t others = 0;
    for (int64_t i = 0; i < total_of(&layout); i++) {
        const bool near = fabs(found[i] - expected[i]) <= bound[i];
        if (!near) {
            print_error("%s: element %lld: %.9g, not %.9g\n", name, (long long)i, found[i],
                        expected[i]);
        }
        assert_true(near);
        others += found[i] != expected[i];
    }
    assert_true(others > 0); /* they are not the same numbers */
    toy_layout_destroy(&layout);
}

static void test_zero3_gradients__of_one_pass_are_rounded_once(void **state)
{
    (void)state;
    judo_param_layout layout;
    const passes one = {process.comm->rank, process.comm->size, 1, 1, false};
    assert_ok(toy_layout_create(4, &layout));
    for (int s = 0; s < NUM_SHARDINGS; s++) {
        const judo_zero3_options wide = options_of(&shardings[s], JUDO_F32);
        const judo_zero3_options narrow = options_of(&shardings[s], JUDO_BF16);
        if (!fits(&shardings[s]) || !is_rounded_once(&narrow)) {
            continue;
        }
        double *expected = gradients_of(process.comm, &wide, &one);
        double *found = gradients_of(process.comm, &narrow, &one);
        /* The tied unit comes twice. */
        for (int64_t i = layout.units[TOY_EMBED].count; i < total_of(&layout); i++) {
            assert_true(found[i] == (double)toy_rounded((float)expected[i], JUDO_BF16));
        }
        free(expected);
        free(found);
    }
    toy_layout_destroy(&layout);
}

/* However many ranks share the passes out and whatever they store: each sum on the way, of
 * which none is larger than its summands, is rounded at most so often. */
static void test_zero3_gradients__stay_within_a_rounding_of_each_pass(void **state)
{
    (void)state;

    enum { PASSES = 3 };

    judo_comm *self = NULL;
    judo_param_layout layout;
    assert_ok(judo_comm_self_create(&self));
    assert_ok(toy_layout_create(4, &layout));
    const judo_zero3_options plain = {0};
    const passes whole = {0, 1, 1, PASSES, false};
    passes shared = {process.comm->rank, process.comm->size, 1, PASSES, false};
    double *expected = gradients_of(self, &plain, &whole);
    double *bound = sizes_of(self, &shared);
    for (int64_t i = 0; i < total_of(&layout); i++) {
        /* Two for each pass of a tied unit, one or two where ranks are summed, on the wire. */
        bound[i] *= (2 * PASSES + PASSES + 1) * unit_roundoff;
    }
    for (int s = 0; s < NUM_SHARDINGS; s++) {
        judo_zero3_options options = options_of(&shardings[s], JUDO_BF16);
        options.compute_dtype = JUDO_F32; /* the weights that gradients are taken at */
        options.split_master = false;
        shared.norm_between = s % 2 == 1;
        if (fits(&shardings[s])) {
            double *found = gradients_of(process.comm, &options, &shared);
            compare(shardings[s].name, found, expected, bound);
            free(found);
        }
    }
    free(expected);
    free(bound);
    toy_layout_destroy(&layout);
    judo_comm_destroy(&self);
}

static void test_zero3_gradients__train_as_those_in_fp32(void **state)
{
    (void)state;

    enum { STEPS = 5 };

    for (int s = 0; s < NUM_SHARDINGS; s++) {
        trainer t[2];
        double losses[2];
        if (!fits(&shardings[s])) {
            continue;
        }
        for (int narrow = 0; narrow < 2; narrow++) {
            const judo_zero3_options options =
                options_of(&shardings[s], narrow ? JUDO_BF16 : JUDO_F32);
            open_on(&t[narrow], process.comm, test_device(), &options);
            losses[narrow] = train(&t[narrow], 1, STEPS);
        }
        assert_true(fabs(losses[1] - losses[0]) <= 0.01 * fabs(losses[0]));
        for (int p = 0; p < t[0].layout.num_params; p++) {
            const judo_zero3_owned part = judo_zero3_owned_part(t[0].zero3, p);
            float *wide = part.count > 0 ? kind_copy(t[0].zero3, p, 0) : NULL;
            float *narrow = part.count > 0 ? kind_copy(t[1].zero3, p, 0) : NULL;
            for (int64_t i = 0; wide != NULL && i < part.count; i++) {
                /* Steps of 0.01 go up to so far. */
                assert_float_equal(narrow[i], wide[i], 1e-3f * (float)STEPS);
            }
            free(wide);
            free(narrow);
        }
        close_trainer(&t[0]);
        close_trainer(&t[1]);
    }
}

/* A checkpoint has none of them. */
static void test_zero3_gradients__are_no_part_of_what_is_resumed(void **state)
{
    (void)state;
    char folder[128];
    trainer before;
    trainer after;
    judo_checkpoint_info info;
    const judo_zero3_options narrow = options_of(&shardings[3], JUDO_BF16);
    const judo_zero3_options wide = options_of(&shardings[2], JUDO_F32);
    make_folder(folder);
    open_on(&before, process.comm, test_device(), &narrow);
    train(&before, 1, 2);
    assert_ok(judo_checkpoint_save(process.comm, before.zero3, folder, 2, "{}"));
    open_on(&after, process.comm, test_device(), &wide);
    assert_ok(judo_checkpoint_load(process.comm, after.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&after), fingerprint(&before));
    close_trainer(&after);
    open_on(&after, process.comm, test_device(), &narrow);
    train(&after, 5, 6);
    assert_ok(judo_checkpoint_load(process.comm, after.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    train(&before, 3, 4);
    train(&after, 3, 4);
    assert_int_equal(fingerprint(&after), fingerprint(&before));
    close_trainer(&before);
    close_trainer(&after);
    remove_folder(folder);
}

static void test_zero3_gradients__take_half_the_memory_as_planned(void **state)
{
    (void)state;
    for (int s = 0; s < NUM_SHARDINGS; s++) {
        judo_zero3_bytes plans[2];
        for (int narrow = 0; narrow < 2 && fits(&shardings[s]); narrow++) {
            trainer t;
            judo_zero3_options options =
                options_of(&shardings[s], narrow ? JUDO_BF16 : JUDO_F32);
            int64_t before = device_memory_left();
            open_on(&t, process.comm, test_device(), &options);
            judo_zero3_bytes taken = judo_zero3_allocated(t.zero3);
            if (strstr(test_device()->description, "guarded") != NULL) { /* counts bytes */
                assert_int_equal(before - device_memory_left(), taken.total);
            }
            assert_ok(judo_zero3_plan(&t.layout, process.comm->size, &options, &plans[narrow]));
            assert_memory_equal(&plans[narrow], &taken, sizeof taken);
            close_trainer(&t);
        }
        if (fits(&shardings[s])) {
            assert_int_equal(2 * plans[1].gradients, plans[0].gradients);
            assert_true(plans[1].gradient_buffer > 0);
        }
    }
}

/* Of a weight that is trained, alone on a rank, beside padding: 2 + 2 + 8 of state and 2 of
 * gradient; and the largest unit's gradient in fp32. */
static void test_zero3_gradients__plans_14_bytes_for_16(void **state)
{
    judo_param_layout layout;
    judo_zero3_bytes bytes;
    int64_t largest = 0;
    (void)state;
    assert_ok(toy_layout_create(4000, &layout));
    layout.units[TOY_FROZEN].frozen = false;
    for (int u = 0; u < layout.num_units; u++) {
        largest = layout.units[u].count > largest ? layout.units[u].count : largest;
    }
    for (int narrow = 0; narrow < 2; narrow++) {
        const judo_zero3_options options =
            options_of(&shardings[3], narrow ? JUDO_BF16 : JUDO_F32);
        const double each = (double)total_of(&layout);
        assert_ok(judo_zero3_plan(&layout, 1, &options, &bytes));
        const double buffer = narrow ? (double)largest * sizeof(float) / each : 0;
        assert_true(fabs((double)bytes.total / each - (narrow ? 14 + buffer : 16)) < 0.01);
    }
    toy_layout_destroy(&layout);
}

static void test_zero3_gradients__are_fp32_where_no_number_of_ranks_changes_them(void **state)
{
    static const judo_zero3_options refused[] = {
        {.gradient_storage = JUDO_BF16, .deterministic_passes = 2},
        {.gradient_storage = JUDO_F16}};
    static const judo_status codes[] = {JUDO_ERROR_ARGUMENT, JUDO_ERROR_UNSUPPORTED};
    judo_param_layout layout;
    judo_zero3 *zero3 = NULL;
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            judo_zero3_create(process.comm, &layout, test_device(), &refused[i], &zero3),
            codes[i]);
        assert_non_null(strstr(judo_error_message(), i == 0 ? "kept in fp32" : "F16"));
    }
    assert_null(zero3);
    toy_layout_destroy(&layout);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_zero3_gradients__of_one_pass_are_rounded_once),
    cmocka_unit_test(test_zero3_gradients__stay_within_a_rounding_of_each_pass),
    cmocka_unit_test(test_zero3_gradients__train_as_those_in_fp32),
    cmocka_unit_test(test_zero3_gradients__are_no_part_of_what_is_resumed),
    cmocka_unit_test(test_zero3_gradients__take_half_the_memory_as_planned),
    cmocka_unit_test(test_zero3_gradients__plans_14_bytes_for_16),
    cmocka_unit_test(test_zero3_gradients__are_fp32_where_no_number_of_ranks_changes_them),
};

JUDO_MPI_TEST_MAIN(tests)
