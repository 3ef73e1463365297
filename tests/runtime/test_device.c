/* tests/runtime/test_device.c: the CPU as a device; what opening a CUDA module says when
 * something is wrong. FAKES is the folder of modules built from fake_module.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/device.h"

static judo_device_request cuda_from(const char *path)
{
    return (judo_device_request){.choice = JUDO_DEVICE_CUDA, .module = path, .index = 3};
}

static judo_status begin_nothing(judo_replay *replay)
{
    (void)replay;
    return JUDO_OK;
}

static void test_table__with_empty_slots_is_refused(void **state)
{
    (void)state;
    judo_device device = *judo_device_cpu();
    device.event_done = NULL;
    assert_int_equal(judo_device_check(&device), JUDO_ERROR_UNSUPPORTED);
    device = *judo_device_cpu();
    device.replay_begin = begin_nothing;
    assert_int_equal(judo_device_check(&device), JUDO_ERROR_UNSUPPORTED);
}

static void test_cpu__memory_copies_and_events_work_at_once(void **state)
{
    (void)state;
    const judo_device *cpu = judo_device_cpu();
    assert_int_equal(judo_device_check(cpu), JUDO_OK);
    assert_false(cpu->separate);
    int64_t available = 0;
    int64_t total = 0;
    assert_int_equal(cpu->memory(&available, &total), JUDO_OK);
    assert_true(0 < available && available <= total);
    void *memory = NULL;
    void *empty = NULL;
    assert_int_equal(cpu->allocate(&memory, 100), JUDO_OK);
    assert_int_equal(cpu->allocate_staging(&empty, 0), JUDO_OK);
    assert_int_equal((uintptr_t)memory % 64, 0);
    judo_stream *stream = NULL;
    judo_event *event = NULL;
    bool done = false;
    assert_int_equal(cpu->stream_create(&stream), JUDO_OK);
    assert_int_equal(cpu->event_create(&event), JUDO_OK);
    assert_int_equal(cpu->clear(memory, 100, stream), JUDO_OK);
    assert_int_equal(cpu->copy(memory, "abc", 3, stream), JUDO_OK);
    assert_int_equal(cpu->event_record(event, stream), JUDO_OK);
    assert_int_equal(cpu->event_wait(event, NULL), JUDO_OK);
    assert_int_equal(cpu->event_done(event, &done), JUDO_OK);
    assert_true(done);
    assert_int_equal(cpu->stream_finish(stream), JUDO_OK);
    assert_memory_equal(memory, "abc\0\0", 5);
    assert_int_equal(((char *)memory)[99], 0);
    cpu->event_destroy(event);
    cpu->stream_destroy(stream);
    cpu->release(memory);
    cpu->release_staging(empty);
    assert_int_equal(cpu->allocate(&memory, INT64_MAX), JUDO_ERROR_MEMORY);
    assert_int_equal(cpu->allocate(&memory, -1), JUDO_ERROR_ARGUMENT);
}

static void test_open__a_module_that_works_gives_its_device(void **state)
{
    (void)state;
    judo_device_request request = cuda_from(FAKES "/libfake_working.so");
    const judo_device *device = NULL;
    assert_int_equal(judo_device_open(&request, &device, NULL), JUDO_OK);
    assert_string_equal(device->name, "cuda");
    assert_string_equal(device->description, "the fake with number 3");
    int64_t available = 0;
    int64_t total = 0;
    assert_int_equal(device->memory(&available, &total), JUDO_OK);
    assert_int_equal(available, 1);
    char reason[JUDO_DEVICE_REASON] = "old";
    request.choice = JUDO_DEVICE_AUTO;
    assert_int_equal(judo_device_open(&request, &device, reason), JUDO_OK);
    assert_string_equal(device->name, "cuda");
    assert_string_equal(reason, "");
}

/* What is wrong with a module, and the words that must say so. */
static const struct {
    const char *path, *words;
    judo_status status;
} broken[] = {
    {FAKES "/libfake_absent.so", "cannot be opened", JUDO_ERROR_UNSUPPORTED},
    {FAKES "/libfake_symbol.so", "has no symbol judo_device_module_table", JUDO_ERROR_MISMATCH},
    {FAKES "/libfake_abi.so", "was built for another judo (interface", JUDO_ERROR_MISMATCH},
    {FAKES "/libfake_size.so", "was built for another judo", JUDO_ERROR_MISMATCH},
    {FAKES "/libfake_version.so", "is of judo 0.0.0", JUDO_ERROR_MISMATCH},
    {FAKES "/libfake_init.so", "cuda: no GPU answers (fake)", JUDO_ERROR_UNSUPPORTED},
    {FAKES "/libfake_slot.so", "the backend cuda has no split_heads", JUDO_ERROR_UNSUPPORTED},
};

static void test_open__cuda_says_what_is_wrong_with_a_module(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        judo_device_request request = cuda_from(broken[i].path);
        const judo_device *device = NULL;
        assert_int_equal(judo_device_open(&request, &device, NULL), broken[i].status);
        assert_null(device);
        if (!strstr(judo_error_message(), broken[i].words)) {
            fail_msg("'%s' does not say '%s'", judo_error_message(), broken[i].words);
        }
    }
}

static void test_open__auto_takes_the_cpu_and_keeps_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        judo_device_request request = cuda_from(broken[i].path);
        request.choice = JUDO_DEVICE_AUTO;
        char reason[JUDO_DEVICE_REASON];
        const judo_device *device = NULL;
        assert_int_equal(judo_device_open(&request, &device, reason), JUDO_OK);
        assert_ptr_equal(device, judo_device_cpu());
        assert_non_null(strstr(reason, broken[i].words));
        assert_string_equal(judo_error_message(), "");
    }
}

static void test_open__cpu_looks_at_no_module(void **state)
{
    (void)state;
    judo_device_request request = {.choice = JUDO_DEVICE_CPU,
                                   .module = FAKES "/libfake_abi.so"};
    char reason[JUDO_DEVICE_REASON] = "old";
    const judo_device *device = NULL;
    assert_int_equal(judo_device_open(&request, &device, reason), JUDO_OK);
    assert_ptr_equal(device, judo_device_cpu());
    assert_string_equal(reason, "");
}

/* The module of this build, if there is one: it opens a GPU, or says why there is none. */
static void test_open__the_default_module_works_or_says_why_not(void **state)
{
    (void)state;
    judo_device_request request = {.choice = JUDO_DEVICE_AUTO};
    char reason[JUDO_DEVICE_REASON];
    const judo_device *device = NULL;
    assert_int_equal(judo_device_open(&request, &device, reason), JUDO_OK);
    assert_int_equal(judo_device_check(device), JUDO_OK);
    assert_int_equal(device == judo_device_cpu(), reason[0] != '\0');
    if (reason[0]) {
        print_message("no CUDA here: %s\n", reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__with_empty_slots_is_refused),
        cmocka_unit_test(test_cpu__memory_copies_and_events_work_at_once),
        cmocka_unit_test(test_open__a_module_that_works_gives_its_device),
        cmocka_unit_test(test_open__cuda_says_what_is_wrong_with_a_module),
        cmocka_unit_test(test_open__auto_takes_the_cpu_and_keeps_the_reason),
        cmocka_unit_test(test_open__cpu_looks_at_no_module),
        cmocka_unit_test(test_open__the_default_module_works_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
