/* tests/parallel/test_checkpoint_names.c: a checkpoint's tensors are found by their names, not
 * by where they stood when it was written. */
#include <mpi.h>

#include "tests/parallel/trainer.h"

/* Turns the order of each unit's parameters round. */
static void reverse_units(judo_param_layout *layout)
{
    for (int u = 0; u < layout->num_units; u++) {
        judo_param *params = &layout->params[layout->units[u].first_param];
        int count = layout->units[u].num_params;
        for (int i = 0; i < count / 2; i++) {
            judo_param first = params[i];
            params[i] = params[count - 1 - i];
            params[count - 1 - i] = first;
        }
        for (int64_t i = 0, offset = 0; i < count; offset += params[i++].count) {
            params[i].offset = offset;
        }
    }
}

/* A rank alone has all of every tensor: they are the same by name. */
static void assert_same_tensors(const trainer *a, const trainer *b)
{
    for (int p = 0; p < a->layout.num_params; p++) {
        int other = 0;
        while (strcmp(b->layout.params[other].name, a->layout.params[p].name) != 0) {
            other++;
        }
        for (int kind = 0; kind < JUDO_SHARD_KINDS; kind++) {
            float *expected = kind_copy(a->zero3, p, kind);
            float *got = kind_copy(b->zero3, other, kind);
            assert_int_equal(expected == NULL, got == NULL);
            if (expected) {
                assert_memory_equal(got, expected,
                                    (size_t)a->layout.params[p].count * sizeof *got);
            }
            free(expected);
            free(got);
        }
    }
}

static void test_checkpoint__of_parameters_in_another_order_is_read_by_name(void **state)
{
    const judo_zero3_options options = {0};
    char folder[128], back[128];
    trainer t, reversed = {.comm = process.comm};
    judo_checkpoint_info info;
    (void)state;
    make_folder(folder);
    make_folder(back);
    open_on(&t, process.comm, test_device(), &options);
    train(&t, 1, 3);
    int64_t expected = fingerprint(&t);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 3, "{}"));
    assert_ok(toy_layout_create(4, &reversed.layout));
    reverse_units(&reversed.layout);
    assert_ok(judo_zero3_create(process.comm, &reversed.layout, test_device(), &options,
                                &reversed.zero3));
    assert_ok(judo_checkpoint_load(process.comm, reversed.zero3, folder, false, &info));
    judo_checkpoint_info_free(&info);
    if (process.comm->size == 1) {
        assert_same_tensors(&t, &reversed);
    }
    assert_ok(judo_checkpoint_save(process.comm, reversed.zero3, back, 3, "{}"));
    train(&t, 4, 4);
    assert_ok(judo_checkpoint_load(process.comm, t.zero3, back, false, &info));
    judo_checkpoint_info_free(&info);
    assert_int_equal(fingerprint(&t), expected);
    close_trainer(&reversed);
    close_trainer(&t);
    remove_folder(folder);
    remove_folder(back);
}

static void test_checkpoint__of_a_tensor_with_another_name_or_size_is_refused(void **state)
{
    const judo_zero3_options options = {0};
    char folder[128];
    trainer t;
    (void)state;
    make_folder(folder);
    open_on(&t, process.comm, test_device(), &options);
    assert_ok(judo_checkpoint_save(process.comm, t.zero3, folder, 3, "{}"));
    for (int change = 0; change < 2; change++) {
        judo_param_layout other;
        judo_zero3 *zero3 = NULL;
        judo_checkpoint_info info;
        assert_ok(toy_layout_create(4, &other));
        judo_param *last = &other.params[other.num_params - 1];
        if (change == 0) {
            last->name[0] = 'H';
        } else {
            last->count = ++last->dims[0];
            other.units[TOY_HEAD_NORM].count++;
        }
        assert_ok(judo_zero3_create(process.comm, &other, test_device(), &options, &zero3));
        assert_int_equal(judo_checkpoint_load(process.comm, zero3, folder, false, &info),
                         JUDO_ERROR_MISMATCH);
        assert_non_null(
            strstr(judo_error_message(), change == 0 ? "none of the model's" : "elements"));
        judo_zero3_destroy(&zero3);
        toy_layout_destroy(&other);
    }
    close_trainer(&t);
    remove_folder(folder);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_checkpoint__of_parameters_in_another_order_is_read_by_name),
    cmocka_unit_test(test_checkpoint__of_a_tensor_with_another_name_or_size_is_refused),
};

JUDO_MPI_TEST_MAIN(tests)
