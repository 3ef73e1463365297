/* tests/parallel/test_zero3_split.c: fp32 weights kept as bf16 halves and the bits behind them
 * train, are saved and come back with the bits of whole ones. */
#include <math.h>

#include "runtime/ops/split_weight.h"
#include "tests/parallel/trainer.h"

typedef struct sharding {
    const char *name;
    judo_zero3_options options;
} sharding;

static const sharding shardings[] = {
    {"stage 0", {.group_size = 1, .whole_weights = true, .whole_gradients = true}},
    {"stage 1", {.whole_weights = true, .whole_gradients = true}},
    {"stage 2", {.whole_weights = true}},
    {"stage 3", {0}},
    {"stage 3, small units whole", {.whole_below = 300}},
    {"stage 3, three ahead, bf16 on the wire", {.prefetch = 3, .gradient_dtype = JUDO_BF16}},
    {"stage 3, deterministic", {.deterministic_passes = 2}},
    {"hybrid 2", {.group_size = 2}},
    {"hybrid 2, stage 1", {.group_size = 2, .whole_weights = true, .whole_gradients = true}},
};

enum { NUM_SHARDINGS = sizeof shardings / sizeof shardings[0] };

static bool fits(const sharding *s)
{
    const bool is_built = s->options.deterministic_passes == 0 || !test_device()->separate;
    return is_built &&
           (s->options.group_size <= 0 || process.comm->size % s->options.group_size == 0);
}

static judo_zero3_options options_of(const sharding *s, bool split)
{
    judo_zero3_options options = s->options;
    options.compute_dtype = JUDO_BF16;
    options.split_master = split;
    return options;
}

static void check_training(const sharding *s, int64_t steps)
{
    trainer t[2];
    for (int split = 0; split < 2; split++) {
        const judo_zero3_options options = options_of(s, split == 1);
        open_on(&t[split], process.comm, test_device(), &options);
        assert_int_equal(judo_zero3_is_split(t[split].zero3), split);
    }
    for (int64_t step = 1; step <= steps; step++) {
        double losses[2];
        for (int split = 0; split < 2; split++) {
            losses[split] = train(&t[split], step, step);
        }
        if (memcmp(&losses[0], &losses[1], sizeof losses[0]) != 0) {
            print_error("%s: step %lld: loss %.17g, split %.17g\n", s->name, (long long)step,
                        losses[0], losses[1]);
        }
        assert_memory_equal(&losses[0], &losses[1], sizeof losses[0]);
    }
    assert_int_equal(fingerprint(&t[0]), fingerprint(&t[1]));
    close_trainer(&t[0]);
    close_trainer(&t[1]);
}

/* None of these weights is ever halfway between two bf16 numbers. */
static void test_zero3_split__trains_with_the_bits_of_whole_weights(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SHARDINGS; i++) {
        if (fits(&shardings[i])) {
            check_training(&shardings[i], test_device()->separate ? 2 : 8);
        }
    }
}

/* Numbers around bf16 ones: on both sides of the halfway point and on it, of both signs. */
static float awkward(int64_t element)
{
    static const uint32_t lows[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    const uint32_t high = 0x3f80 + (uint32_t)(element / 12 % 64);
    uint32_t bits = high << 16 | lows[element % 6] | (uint32_t)(element / 6 % 2) << 31;
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static judo_status read_awkward(void *context, const judo_param *param, int64_t first,
                                int64_t count, float *out)
{
    (void)context;
    (void)param;
    for (int64_t i = 0; i < count; i++) {
        out[i] = awkward(first + i);
    }
    return JUDO_OK;
}

static judo_status visit_awkward(void *context, int param, int64_t first, int64_t count,
                                 const float *weights)
{
    (void)param;
    for (int64_t i = 0; i < count; i++) {
        const float expected = awkward(first + i);
        assert_memory_equal(&weights[i], &expected, sizeof expected);
    }
    *(int64_t *)context += count;
    return JUDO_OK;
}

static void check_lent(judo_params *params, const judo_param_layout *layout)
{
    for (int u = 0; u < layout->num_units; u++) {
        judo_tensor weights;
        assert_ok(params->ops->acquire(params, u, -1, &weights));
        uint16_t *lent = test_device_get(weights.data, weights.dims[0] * 2);
        for (int p = 0; p < layout->units[u].num_params; p++) {
            const judo_param *param = &layout->params[layout->units[u].first_param + p];
            for (int64_t i = 0; i < param->count; i++) {
                assert_int_equal(lent[param->offset + i], judo_weight_split(awkward(i)).high);
            }
        }
        free(lent);
        assert_ok(params->ops->release(params, u));
    }
}

static void test_zero3_split__keeps_every_bit_and_lends_the_nearest(void **state)
{
    (void)state;
    const judo_weight_source source = {.read = read_awkward};
    for (int i = 0; i < NUM_SHARDINGS; i++) {
        if (!fits(&shardings[i])) {
            continue;
        }
        trainer t;
        int64_t visited = 0;
        int64_t total = 0;
        judo_params *resident = NULL;
        const judo_zero3_options options = options_of(&shardings[i], true);
        open_on(&t, process.comm, test_device(), &options);
        assert_ok(judo_zero3_load(t.zero3, &source));
        check_lent(judo_zero3_params(t.zero3), &t.layout);
        assert_ok(judo_zero3_gather_resident(t.zero3, &resident));
        check_lent(resident, &t.layout);
        judo_zero3_release_resident(t.zero3);
        assert_ok(judo_zero3_for_each_owned(t.zero3, visit_awkward, &visited));
        assert_ok(judo_comm_sum_i64(process.comm, &visited, 1));
        for (int p = 0; p < t.layout.num_params; p++) {
            total += t.layout.params[p].count;
        }
        assert_int_equal(visited, total);
        close_trainer(&t);
    }
}

/* Saves, and goes on from what was saved in another trainer that keeps its weights otherwise
 * and had been somewhere else. */
static void check_resuming(const sharding *s, bool split, bool in_background)
{
    char folder[128];
    trainer before;
    trainer after;
    judo_checkpoint_info info;
    const judo_zero3_options first = options_of(s, split);
    const judo_zero3_options second = options_of(s, !split);
    make_folder(folder);
    open_on(&before, process.comm, test_device(), &first);
    train(&before, 1, 2);
    if (in_background) {
        const judo_checkpoint_options saving = {.background = true};
        judo_checkpoint_writer *writer = NULL;
        assert_ok(
            judo_checkpoint_writer_open(process.comm, before.zero3, folder, &saving, &writer));
        assert_ok(judo_checkpoint_writer_save(writer, 2, "{}"));
        assert_ok(judo_checkpoint_writer_finish(writer));
        judo_checkpoint_writer_close(&writer);
    } else {
        assert_ok(judo_checkpoint_save(process.comm, before.zero3, folder, 2, "{}"));
    }
    open_on(&after, process.comm, test_device(), &second);
    train(&after, 7, 7);
    assert_ok(judo_checkpoint_load(process.comm, after.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&after), fingerprint(&before));
    const double expected = train(&before, 3, 4);
    const double found = train(&after, 3, 4);
    assert_memory_equal(&found, &expected, sizeof found);
    assert_int_equal(fingerprint(&after), fingerprint(&before));
    close_trainer(&before);
    close_trainer(&after);
    remove_folder(folder);
}

static void test_zero3_split__checkpoints_are_those_of_whole_weights(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SHARDINGS; i++) {
        if (fits(&shardings[i])) {
            check_resuming(&shardings[i], true, i % 2 == 0);
            check_resuming(&shardings[i], false, i % 2 == 1);
        }
    }
}

static void test_zero3_split__takes_two_bytes_a_weight_less_as_planned(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_SHARDINGS; i++) {
        judo_zero3_bytes plans[2];
        for (int split = 0; split < 2 && fits(&shardings[i]); split++) {
            trainer t;
            judo_zero3_options options = options_of(&shardings[i], split == 1);
            int64_t before = device_memory_left();
            open_on(&t, process.comm, test_device(), &options);
            judo_zero3_bytes taken = judo_zero3_allocated(t.zero3);
            if (test_device()->separate) { /* the host's memory is everybody's */
                assert_int_equal(before - device_memory_left(), taken.total);
            }
            assert_ok(judo_zero3_plan(&t.layout, process.comm->size, &options, &plans[split]));
            assert_memory_equal(&plans[split], &taken, sizeof taken);
            close_trainer(&t);
        }
        if (fits(&shardings[i])) {
            assert_int_equal(2 * plans[1].weights, plans[0].weights);
            assert_int_equal(plans[1].weights, plans[1].compute);
            assert_int_equal(plans[0].total - plans[1].total, plans[1].weights);
        }
    }
}

/* Of a weight that is trained, alone on a rank, beside padding: 2 + 2 + 8 of state and 4 of
 * gradient where whole weights take 2 + 4 + 8 and 4. */
static void test_zero3_split__plans_16_bytes_for_18(void **state)
{
    judo_param_layout layout;
    judo_zero3_bytes bytes;
    int64_t count = 0;
    (void)state;
    assert_ok(toy_layout_create(4000, &layout));
    layout.units[TOY_FROZEN].frozen = false;
    for (int p = 0; p < layout.num_params; p++) {
        count += layout.params[p].count;
    }
    for (int split = 0; split < 2; split++) {
        const judo_zero3_options options = options_of(&shardings[0], split == 1);
        assert_ok(judo_zero3_plan(&layout, 1, &options, &bytes));
        assert_true(fabs((double)bytes.total / (double)count - (split ? 16 : 18)) < 0.01);
    }
    toy_layout_destroy(&layout);
}

static void test_zero3_split__is_nothing_to_a_frozen_set(void **state)
{
    (void)state;
    judo_zero3_bytes plans[2];
    for (int split = 0; split < 2; split++) {
        trainer t;
        judo_zero3_options options = options_of(&shardings[3], split == 1);
        options.frozen = true;
        open_on(&t, process.comm, test_device(), &options);
        assert_false(judo_zero3_is_split(t.zero3));
        plans[split] = judo_zero3_allocated(t.zero3);
        close_trainer(&t);
    }
    assert_memory_equal(&plans[0], &plans[1], sizeof plans[0]);
}

static void test_zero3_split__is_refused_where_there_is_nothing_to_split(void **state)
{
    static const judo_zero3_options refused[] = {
        {.split_master = true},
        {.split_master = true, .compute_dtype = JUDO_BF16, .offload = true}};
    static const char *const reasons[] = {"only a bf16 number", "offloaded optimizer"};
    judo_param_layout layout;
    judo_zero3 *zero3 = NULL;
    (void)state;
    assert_ok(toy_layout_create(1, &layout));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            judo_zero3_create(process.comm, &layout, test_device(), &refused[i], &zero3),
            JUDO_ERROR_ARGUMENT);
        assert_non_null(strstr(judo_error_message(), reasons[i]));
    }
    assert_null(zero3);
    toy_layout_destroy(&layout);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_zero3_split__trains_with_the_bits_of_whole_weights),
    cmocka_unit_test(test_zero3_split__keeps_every_bit_and_lends_the_nearest),
    cmocka_unit_test(test_zero3_split__checkpoints_are_those_of_whole_weights),
    cmocka_unit_test(test_zero3_split__takes_two_bytes_a_weight_less_as_planned),
    cmocka_unit_test(test_zero3_split__plans_16_bytes_for_18),
    cmocka_unit_test(test_zero3_split__is_nothing_to_a_frozen_set),
    cmocka_unit_test(test_zero3_split__is_refused_where_there_is_nothing_to_split),
};

JUDO_MPI_TEST_MAIN(tests)
