/* tests/parallel/test_zero3.c: sharded parameters against plain arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/parallel/mpi_main.h"
#include "tests/parallel/toy.h"

typedef struct fixture {
    judo_param_layout layout;
    judo_zero3 *zero3;
} fixture;

static void setup(fixture *f, int scale, judo_zero3_options options)
{
    assert_ok(toy_layout_create(scale, &f->layout));
    assert_ok(judo_zero3_create(process.comm, &f->layout, test_device(), &options, &f->zero3));
    judo_weight_source source = toy_source(&f->layout);
    assert_ok(judo_zero3_load(f->zero3, &source));
}

static void teardown(fixture *f)
{
    judo_zero3_destroy(&f->zero3);
    assert_null(f->zero3);
    toy_layout_destroy(&f->layout);
}

static float element_of(const judo_tensor *tensor, int64_t i)
{
    return tensor->dtype == JUDO_BF16 ? judo_bf16_to_f32(((const uint16_t *)tensor->data)[i])
                                      : ((const float *)tensor->data)[i];
}

static void check_unit_weights(const judo_param_layout *layout, int unit,
                               const judo_tensor *weights)
{
    const judo_unit *u = &layout->units[unit];
    judo_tensor here = *weights;
    here.data = test_device_get(weights->data, u->count * judo_dtype_bytes(weights->dtype));
    for (int p = u->first_param; p < u->first_param + u->num_params; p++) {
        for (int64_t i = 0; i < layout->params[p].count; i++) {
            float found = element_of(&here, layout->params[p].offset + i);
            float expected = toy_rounded(toy_initial(p, i), weights->dtype);
            assert_memory_equal(&found, &expected, sizeof expected);
        }
    }
    free(here.data);
}

/* The owned weights of a parameter; free() them. */
static float *owned_weights(const judo_zero3_owned *part)
{
    return test_device_get(part->weights, part->count * 4);
}

static const judo_zero3_options variants[] = {
    {0},
    {.no_prefetch = true},
    {.whole_weights = true},
    {.compute_dtype = JUDO_BF16},
    {.compute_dtype = JUDO_BF16, .whole_weights = true, .gradient_dtype = JUDO_BF16},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

static void test_zero3__gathers_every_unit_whole(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        fixture f;
        setup(&f, 3, variants[v]);
        judo_params *params = judo_zero3_params(f.zero3);
        for (int round = 0; round < 3; round++) {
            for (int u = 0; u < TOY_UNITS; u++) {
                judo_tensor weights;
                int next = round == 1 ? TOY_UNITS - 1 - u : (u + 1) % TOY_UNITS;
                assert_ok(params->ops->acquire(params, u, next, &weights));
                assert_int_equal(weights.dims[0], f.layout.units[u].count);
                assert_int_equal(weights.dtype, variants[v].compute_dtype);
                check_unit_weights(&f.layout, u, &weights);
                params->ops->poll(params);
                assert_ok(params->ops->release(params, u));
            }
        }
        teardown(&f);
    }
}

/* As a tied head does: its norm stays held while the embedding comes and goes. */
static void test_zero3__holds_the_smallest_unit_beside_any_two(void **state)
{
    fixture f;
    (void)state;
    setup(&f, 1, (judo_zero3_options){0});
    judo_params *params = judo_zero3_params(f.zero3);
    for (int before = 0; before < TOY_HEAD_NORM; before++) {
        judo_tensor norm;
        judo_tensor other;
        assert_ok(params->ops->acquire(params, before, TOY_HEAD_NORM, &other));
        assert_ok(params->ops->release(params, before));
        assert_ok(params->ops->acquire(params, TOY_HEAD_NORM, TOY_EMBED, &norm));
        assert_ok(params->ops->acquire(params, TOY_EMBED, TOY_BLOCK_A, &other));
        check_unit_weights(&f.layout, TOY_EMBED, &other);
        assert_ok(params->ops->release(params, TOY_EMBED));
        assert_ok(params->ops->acquire(params, TOY_BLOCK_A, -1, &other));
        check_unit_weights(&f.layout, TOY_BLOCK_A, &other);
        check_unit_weights(&f.layout, TOY_HEAD_NORM, &norm);
        assert_ok(params->ops->release(params, TOY_BLOCK_A));
        assert_ok(params->ops->release(params, TOY_HEAD_NORM));
    }
    teardown(&f);
}

static void test_zero3__refuses_misuse(void **state)
{
    fixture f;
    judo_tensor tensor;
    (void)state;
    setup(&f, 1, (judo_zero3_options){0});
    judo_params *params = judo_zero3_params(f.zero3);
    assert_ok(params->ops->acquire(params, 0, -1, &tensor));
    assert_int_equal(params->ops->acquire(params, 0, -1, &tensor), JUDO_ERROR_INTERNAL);
    assert_ok(params->ops->release(params, 0));
    assert_int_equal(params->ops->release(params, 0), JUDO_ERROR_INTERNAL);
    assert_int_equal(params->ops->acquire(params, TOY_UNITS, -1, &tensor), JUDO_ERROR_INTERNAL);
    assert_int_equal(params->ops->gradient_begin(params, TOY_FROZEN, &tensor),
                     JUDO_ERROR_INTERNAL);
    assert_int_equal(params->ops->gradient_end(params, 0), JUDO_ERROR_INTERNAL);
    assert_ok(params->ops->gradient_begin(params, 0, &tensor));
    assert_int_equal(params->ops->gradient_begin(params, 1, &tensor), JUDO_ERROR_INTERNAL);
    assert_ok(params->ops->gradient_end(params, 0));
    teardown(&f);
}

typedef struct comparison {
    const toy_reference *reference;
    float tolerance;
} comparison;

static judo_status compare_with_reference(void *context, int param, int64_t first,
                                          int64_t count, const float *weights)
{
    const comparison *c = context;
    const float *expected =
        c->reference->weights + toy_reference_offset(c->reference, param) + first;
    for (int64_t i = 0; i < count; i++) {
        assert_float_equal(weights[i], expected[i], c->tolerance);
    }
    return JUDO_OK;
}

/* Elements whose rounding falls on the other side see another gradient. */
static float tolerance_of(const judo_zero3_options *options)
{
    if (options->gradient_dtype == JUDO_BF16) {
        return 1e-3f;
    }
    return options->compute_dtype == JUDO_BF16 ? 1e-4f : 2e-6f;
}

static void test_zero3__trains_as_one_process_with_plain_arrays(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        fixture f;
        toy_reference reference;
        setup(&f, 2, variants[v]);
        assert_ok(toy_reference_create(&f.layout, variants[v].compute_dtype, &reference));
        comparison c = {.reference = &reference, .tolerance = tolerance_of(&variants[v])};
        for (int64_t step = 1; step <= 20; step++) {
            double loss = 0;
            double expected = 0;
            assert_ok(toy_train_step(process.comm, f.zero3, step, &loss));
            assert_ok(toy_reference_step(&reference, step, &expected));
            assert_true(fabs(loss - expected) <= 10 * (double)c.tolerance * fabs(expected));
        }
        assert_ok(judo_zero3_for_each_owned(f.zero3, compare_with_reference, &c));
        toy_reference_destroy(&reference);
        teardown(&f);
    }
}

/* The lent weights of what this rank owns are its master weights, rounded to nearest even. */
static void check_follows_master(judo_zero3 *zero3)
{
    judo_params *params = judo_zero3_params(zero3);
    for (int u = 0; u < TOY_UNITS; u++) {
        judo_tensor weights;
        const judo_unit *unit = &params->layout->units[u];
        assert_ok(params->ops->acquire(params, u, -1, &weights));
        judo_tensor here = weights;
        here.data = test_device_get(weights.data, unit->count * 2);
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            judo_zero3_owned part = judo_zero3_owned_part(zero3, p);
            float *master = owned_weights(&part);
            for (int64_t i = 0; i < part.count; i++) {
                float found =
                    element_of(&here, params->layout->params[p].offset + part.first + i);
                assert_true(found == toy_rounded(master[i], JUDO_BF16));
            }
            free(master);
        }
        free(here.data);
        assert_ok(params->ops->release(params, u));
    }
}

static void test_zero3__lent_bf16_weights_follow_the_master(void **state)
{
    fixture f;
    double loss = 0;
    int64_t between = 0;
    (void)state;
    setup(&f, 2, (judo_zero3_options){.compute_dtype = JUDO_BF16});
    check_follows_master(f.zero3);
    for (int64_t step = 1; step <= 3; step++) {
        assert_ok(toy_train_step(process.comm, f.zero3, step, &loss));
        check_follows_master(f.zero3);
    }
    assert_ok(judo_zero3_weights_changed(f.zero3)); /* as a checkpoint does before it reads */
    for (int p = 0; p < f.layout.num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(f.zero3, p);
        float *master = owned_weights(&part);
        for (int64_t i = 0; i < part.count; i++) {
            between += master[i] != toy_rounded(master[i], JUDO_BF16);
            master[i] = (float)sin((double)(p + 31 * (part.first + i)));
        }
        test_device_write(part.weights, master, part.count * 4);
        free(master);
    }
    check_follows_master(f.zero3);
    assert_ok(judo_comm_sum_i64(process.comm, &between, 1));
    assert_true(between > 0); /* the master keeps what bf16 cannot */
    teardown(&f);
}

static void test_zero3__accumulates_micro_batches(void **state)
{
    fixture f;
    double loss = 0;
    double once = 0;
    double twice = 0;
    (void)state;
    setup(&f, 1, (judo_zero3_options){0});
    judo_params *params = judo_zero3_params(f.zero3);
    int rank = process.comm->rank;
    int size = process.comm->size;
    assert_ok(judo_zero3_zero_gradients(f.zero3));
    assert_ok(toy_run(params, rank, size, 1, &loss));
    assert_ok(judo_zero3_gradient_norm(f.zero3, &once));
    assert_ok(toy_run(params, rank, size, 1, &loss));
    assert_ok(judo_zero3_gradient_norm(f.zero3, &twice));
    assert_true(once > 0 && fabs(twice - 2 * once) < 1e-6 * once);
    teardown(&f);
}

static judo_status sum_weights(void *context, int param, int64_t first, int64_t count,
                               const float *weights)
{
    double *sum = context;
    for (int64_t i = 0; i < count; i++) {
        *sum += (double)weights[i] * (double)(param + 1) * (double)(first + i + 1);
    }
    return JUDO_OK;
}

static void test_zero3__an_update_that_is_not_finite_changes_nothing(void **state)
{
    fixture f;
    judo_tensor gradient;
    judo_zero3_update update = {.applied = true};
    judo_adamw adamw = toy_adamw(1);
    double before = 0;
    double after = 0;
    (void)state;
    setup(&f, 1, (judo_zero3_options){0});
    judo_params *params = judo_zero3_params(f.zero3);
    assert_ok(judo_zero3_for_each_owned(f.zero3, sum_weights, &before));
    assert_ok(judo_zero3_zero_gradients(f.zero3));
    assert_ok(params->ops->gradient_begin(params, TOY_BLOCK_B, &gradient));
    if (process.comm->rank == process.comm->size - 1) {
        const float infinite = (float)INFINITY; /* only one rank sees it */
        test_device_write((float *)gradient.data + 3, &infinite, sizeof infinite);
    }
    assert_ok(params->ops->gradient_end(params, TOY_BLOCK_B));
    assert_ok(judo_zero3_step(f.zero3, &adamw, 1.0, &update));
    assert_false(update.applied);
    assert_true(!(update.gradient_norm <= 1e300));
    assert_ok(judo_zero3_for_each_owned(f.zero3, sum_weights, &after));
    assert_true(before == after);
    teardown(&f);
}

static void test_zero3__leaves_frozen_parameters_alone(void **state)
{
    fixture f;
    double loss;
    (void)state;
    setup(&f, 1, (judo_zero3_options){0});
    for (int64_t step = 1; step <= 3; step++) {
        assert_ok(toy_train_step(process.comm, f.zero3, step, &loss));
    }
    for (int p = 0; p < f.layout.num_params; p++) {
        judo_zero3_owned part = judo_zero3_owned_part(f.zero3, p);
        float *weights = owned_weights(&part);
        for (int64_t i = 0; i < part.count; i++) {
            bool moved = weights[i] != toy_initial(p, part.first + i);
            assert_int_equal(moved, !f.layout.params[p].frozen);
        }
        free(weights);
    }
    teardown(&f);
}

static void check_resident(judo_dtype dtype)
{
    fixture f;
    judo_params *resident = NULL;
    setup(&f, 2, (judo_zero3_options){.frozen = true, .compute_dtype = dtype});
    assert_ok(judo_zero3_gather_resident(f.zero3, &resident));
    for (int u = 0; u < TOY_UNITS; u++) { /* all at once, without any collective */
        judo_tensor weights;
        assert_ok(resident->ops->acquire(resident, u, -1, &weights));
        assert_int_equal(weights.dtype, dtype);
        check_unit_weights(&f.layout, u, &weights);
    }
    for (int u = 0; u < TOY_UNITS; u++) {
        assert_ok(resident->ops->release(resident, u));
    }
    judo_zero3_release_resident(f.zero3);
    judo_zero3_release_resident(f.zero3);
    teardown(&f);
}

static void test_zero3__lends_resident_weights_for_generation(void **state)
{
    (void)state;
    check_resident(JUDO_F32);
    check_resident(JUDO_BF16);
}

static judo_status check_rounded_initial(void *context, int param, int64_t first, int64_t count,
                                         const float *weights)
{
    int64_t *visited = context;
    for (int64_t i = 0; i < count; i++) {
        assert_true(weights[i] == toy_rounded(toy_initial(param, first + i), JUDO_BF16));
    }
    *visited += count;
    return JUDO_OK;
}

static void test_zero3__a_frozen_set_in_bf16_keeps_no_master(void **state)
{
    fixture f;
    judo_zero3_options options = {.frozen = true, .compute_dtype = JUDO_BF16};
    int64_t visited = 0;
    int64_t all = 0;
    (void)state;
    setup(&f, 40, options); /* parameters of several blocks */
    judo_zero3_bytes taken = judo_zero3_allocated(f.zero3);
    assert_int_equal(taken.weights, 0);
    assert_int_equal(taken.total, taken.compute + taken.gathered);
    for (int p = 0; p < f.layout.num_params; p++) {
        all += f.layout.params[p].count;
        assert_null(judo_zero3_owned_part(f.zero3, p).weights);
    }
    assert_ok(judo_zero3_for_each_owned(f.zero3, check_rounded_initial, &visited));
    assert_ok(judo_comm_sum_i64(process.comm, &visited, 1));
    assert_int_equal(visited, all);
    teardown(&f);
}

static void test_zero3__refuses_other_types(void **state)
{
    judo_param_layout layout;
    judo_zero3 *zero3 = NULL;
    judo_zero3_bytes plan;
    judo_zero3_options options = {.compute_dtype = JUDO_F16};
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    assert_int_equal(judo_zero3_plan(&layout, 2, &options, &plan), JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(judo_zero3_create(process.comm, &layout, test_device(), &options, &zero3),
                     JUDO_ERROR_UNSUPPORTED);
    assert_null(zero3);
    toy_layout_destroy(&layout);
}

static void test_zero3__stays_within_its_plan(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        fixture f;
        judo_zero3_bytes plan;
        judo_zero3_bytes alone;
        setup(&f, 8, variants[v]);
        int size = process.comm->size;
        assert_ok(judo_zero3_plan(&f.layout, size, &variants[v], &plan));
        assert_ok(judo_zero3_plan(&f.layout, 1, &variants[v], &alone));
        judo_zero3_bytes taken = judo_zero3_allocated(f.zero3);
        assert_memory_equal(&plan, &taken, sizeof plan);
        int64_t padding = (int64_t)TOY_UNITS * JUDO_SHARD_ALIGNMENT * 4;
        assert_true(plan.weights <= alone.weights / size + padding);
        assert_true(plan.moments <= alone.moments / size + 2 * padding);
        assert_int_equal(alone.gathered + alone.gradient_buffer, 0);
        teardown(&f);
    }
}

static judo_status fail_on_last_rank(void *context, const judo_param *param, int64_t first,
                                     int64_t count, float *out)
{
    (void)context;
    (void)param;
    (void)first;
    memset(out, 0, (size_t)count * sizeof *out);
    return process.comm->rank == process.comm->size - 1
               ? JUDO_FAIL(JUDO_ERROR_FORMAT, "model.safetensors: cut off")
               : JUDO_OK;
}

static void test_zero3__a_load_that_fails_on_one_rank_fails_on_all(void **state)
{
    fixture f;
    judo_weight_source source = {.read = fail_on_last_rank};
    (void)state;
    /* Large enough that the last of four ranks owns something. */
    setup(&f, 8, (judo_zero3_options){0});
    assert_int_equal(judo_zero3_load(f.zero3, &source), JUDO_ERROR_FORMAT);
    assert_non_null(strstr(judo_error_message(), "cut off"));
    teardown(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_zero3__gathers_every_unit_whole),
    cmocka_unit_test(test_zero3__holds_the_smallest_unit_beside_any_two),
    cmocka_unit_test(test_zero3__refuses_misuse),
    cmocka_unit_test(test_zero3__trains_as_one_process_with_plain_arrays),
    cmocka_unit_test(test_zero3__lent_bf16_weights_follow_the_master),
    cmocka_unit_test(test_zero3__accumulates_micro_batches),
    cmocka_unit_test(test_zero3__an_update_that_is_not_finite_changes_nothing),
    cmocka_unit_test(test_zero3__leaves_frozen_parameters_alone),
    cmocka_unit_test(test_zero3__lends_resident_weights_for_generation),
    cmocka_unit_test(test_zero3__a_frozen_set_in_bf16_keeps_no_master),
    cmocka_unit_test(test_zero3__refuses_other_types),
    cmocka_unit_test(test_zero3__stays_within_its_plan),
    cmocka_unit_test(test_zero3__a_load_that_fails_on_one_rank_fails_on_all),
};

JUDO_MPI_TEST_MAIN(tests)
