/* tests/runtime/test_device_feed.c: weights on their way into a device's memory, on the CPU and
 * (JUDO_TEST_DEVICE=cuda with tests/guard) where the host cannot reach it; names of devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/device_choice.h"
#include "runtime/params.h"

static const judo_device *device;

/* Numbers that bf16 holds, another one at each place; fails from element `limit` on. */
static judo_status read_numbers(void *context, const judo_param *param, int64_t first,
                                int64_t count, float *out)
{
    const int64_t *limit = context;
    (void)param;
    if (first + count > *limit) {
        return JUDO_FAIL(JUDO_ERROR_IO, "no more than %lld numbers", (long long)*limit);
    }
    for (int64_t i = 0; i < count; i++) {
        out[i] = (float)((first + i) * 37 % 251);
    }
    return JUDO_OK;
}

/* Several pieces, the last one short, behind each other into one run of memory. */
static void send_and_compare(judo_dtype dtype)
{
    const int64_t count = 5 * (JUDO_FEED_PIECE / judo_dtype_bytes(dtype)) / 2 + 3;
    int64_t limit = INT64_MAX;
    const judo_weight_source source = {.context = &limit, .read = read_numbers};
    int64_t bytes = 2 * count * judo_dtype_bytes(dtype);
    void *memory = NULL;
    char *found = malloc((size_t)bytes);
    char *expected = malloc((size_t)bytes);
    judo_device_feed feed;
    assert_true(found && expected);
    assert_int_equal(device->allocate(&memory, bytes), JUDO_OK);
    assert_int_equal(judo_feed_open(device, &feed), JUDO_OK);
    for (int part = 0; part < 2; part++) {
        char *at = (char *)memory + part * bytes / 2;
        assert_int_equal(judo_weight_source_send(&source, NULL, part, count, dtype, &feed, at),
                         JUDO_OK);
        assert_int_equal(judo_weight_source_read(&source, NULL, part, count, dtype,
                                                 expected + part * bytes / 2),
                         JUDO_OK);
    }
    assert_int_equal(judo_feed_close(&feed), JUDO_OK);
    assert_int_equal(device->copy(found, memory, bytes, NULL), JUDO_OK);
    assert_memory_equal(found, expected, (size_t)bytes);
    device->release(memory);
    free(found);
    free(expected);
}

static void test_feed__brings_every_piece_to_its_place(void **state)
{
    (void)state;
    send_and_compare(JUDO_F32);
    send_and_compare(JUDO_BF16);
}

static void test_feed__can_be_closed_after_a_failure(void **state)
{
    (void)state;
    int64_t limit = JUDO_FEED_PIECE / 4 + 1;
    int64_t count = JUDO_FEED_PIECE / 2;
    const judo_weight_source source = {.context = &limit, .read = read_numbers};
    void *memory = NULL;
    judo_device_feed feed;
    assert_int_equal(device->allocate(&memory, count * 4), JUDO_OK);
    assert_int_equal(judo_feed_open(device, &feed), JUDO_OK);
    assert_int_equal(judo_weight_source_send(&source, NULL, 0, count, JUDO_F32, &feed, memory),
                     JUDO_ERROR_IO);
    assert_int_equal(judo_feed_close(&feed), JUDO_OK);
    device->release(memory);
}

static void test_choice__names_devices(void **state)
{
    (void)state;
    judo_device_choice choice = JUDO_DEVICE_AUTO;
    assert_int_equal(judo_device_parse("cuda", "--device", &choice), JUDO_OK);
    assert_int_equal(choice, JUDO_DEVICE_CUDA);
    assert_int_equal(judo_device_parse("cpu", "--device", &choice), JUDO_OK);
    assert_int_equal(choice, JUDO_DEVICE_CPU);
    assert_int_equal(judo_device_parse("auto", "--device", &choice), JUDO_OK);
    assert_int_equal(choice, JUDO_DEVICE_AUTO);
    assert_int_equal(judo_device_parse("cud", "--device", &choice), JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "--device 'cud': must be one of auto|cpu"));
}

static void test_choice__auto_falls_back_where_the_named_module_is_not(void **state)
{
    (void)state;
    const judo_device *found = NULL;
    const char *named = getenv(JUDO_DEVICE_MODULE_VARIABLE);
    char *before = named ? strdup(named) : NULL;
    assert_int_equal(setenv(JUDO_DEVICE_MODULE_VARIABLE, "absent.so", 1), 0);
    assert_int_equal(judo_device_choose(JUDO_DEVICE_AUTO, 0, &found), JUDO_OK);
    assert_ptr_equal(found, judo_device_cpu());
    assert_int_equal(judo_device_choose(JUDO_DEVICE_CUDA, 0, &found), JUDO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(judo_error_message(), "absent.so"));
    if (before) {
        assert_int_equal(setenv(JUDO_DEVICE_MODULE_VARIABLE, before, 1), 0);
    } else {
        assert_int_equal(unsetenv(JUDO_DEVICE_MODULE_VARIABLE), 0);
    }
    free(before);
}

static int open_device(void **state)
{
    const char *name = getenv("JUDO_TEST_DEVICE");
    (void)state;
    return judo_device_choose_named(name ? name : "cpu", "JUDO_TEST_DEVICE", &device) == JUDO_OK
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed__brings_every_piece_to_its_place),
        cmocka_unit_test(test_feed__can_be_closed_after_a_failure),
        cmocka_unit_test(test_choice__names_devices),
        cmocka_unit_test(test_choice__auto_falls_back_where_the_named_module_is_not),
    };
    return cmocka_run_group_tests_name("device_feed", tests, open_device, NULL);
}
