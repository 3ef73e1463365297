/* tests/guard/test_guard.c: the guarded device stops what a GPU would not do. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/device.h"

static const judo_device *device;

/* How a child ends that reads `at`. */
static int read_in_child(const float *at)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(*(const volatile float *)at != 0.0f ? 1 : 0);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    return ended;
}

static void reading_device_memory_on_the_host_stops_the_process(void **state)
{
    (void)state;
    void *memory = NULL;
    assert_int_equal(device->allocate(&memory, 64), JUDO_OK);
    int ended = read_in_child(memory);
    assert_true(WIFSIGNALED(ended) || WEXITSTATUS(ended) > 1); /* a sanitizer exits instead */
    device->release(memory);
}

static void copies_come_when_somebody_waits(void **state)
{
    (void)state;
    void *memory = NULL;
    void *staging = NULL;
    assert_int_equal(device->allocate(&memory, 64), JUDO_OK);
    assert_int_equal(device->allocate_staging(&staging, 64), JUDO_OK);
    const float here[2] = {3.0f, 4.0f};
    assert_int_equal(device->copy(memory, here, sizeof here, NULL), JUDO_OK);
    assert_int_equal(device->copy(staging, memory, sizeof here, NULL), JUDO_OK);
    assert_true(isnan(((float *)staging)[0]));
    assert_int_equal(device->stream_finish(NULL), JUDO_OK);
    assert_memory_equal(staging, here, sizeof here);
    device->release(memory);
    device->release_staging(staging);
}

static void a_queue_waits_for_another_only_behind_an_event(void **state)
{
    (void)state;
    void *memory = NULL;
    float *staging = NULL;
    judo_stream *side = NULL;
    judo_event *event = NULL;
    assert_int_equal(device->allocate(&memory, 64), JUDO_OK);
    assert_int_equal(device->allocate_staging((void **)&staging, 64), JUDO_OK);
    assert_int_equal(device->stream_create(&side), JUDO_OK);
    assert_int_equal(device->event_create(&event), JUDO_OK);
    assert_int_equal(device->clear(memory, 64, side), JUDO_OK);
    assert_int_equal(device->event_record(event, side), JUDO_OK);
    assert_int_equal(device->copy(staging, memory, 4, NULL), JUDO_OK);
    assert_int_equal(device->stream_finish(NULL), JUDO_OK);
    assert_true(isnan(staging[0])); /* the clear has not come yet */
    bool done = true;
    assert_int_equal(device->event_done(event, &done), JUDO_OK);
    assert_false(done);
    assert_int_equal(device->event_wait(event, NULL), JUDO_OK);
    assert_int_equal(device->copy(staging, memory, 4, NULL), JUDO_OK);
    assert_int_equal(device->stream_finish(NULL), JUDO_OK);
    assert_true(staging[0] == 0.0f);
    assert_int_equal(device->event_done(event, &done), JUDO_OK);
    assert_true(done);
    device->event_destroy(event);
    device->stream_destroy(side);
    device->release(memory);
    device->release_staging(staging);
}

static void ops_run_on_device_memory_and_refuse_the_hosts(void **state)
{
    (void)state;
    void *memory = NULL;
    float values[2] = {1.0f, 2.0f};
    assert_int_equal(device->allocate(&memory, 64), JUDO_OK);
    assert_int_equal(device->copy(memory, values, sizeof values, NULL), JUDO_OK);
    judo_tensor there = judo_tensor_1d(memory, JUDO_F32, 2);
    judo_tensor here = judo_tensor_1d(values, JUDO_F32, 2);
    assert_int_equal(device->ops->add(&there, &here), JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "add: tensor 2"));
    judo_error_clear();
    assert_int_equal(device->ops->add(&there, &there), JUDO_OK);
    assert_int_equal(device->copy(values, memory, sizeof values, NULL), JUDO_OK);
    assert_true(values[0] == 2.0f && values[1] == 4.0f);
    device->release(memory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_device_memory_on_the_host_stops_the_process),
        cmocka_unit_test(copies_come_when_somebody_waits),
        cmocka_unit_test(a_queue_waits_for_another_only_behind_an_event),
        cmocka_unit_test(ops_run_on_device_memory_and_refuse_the_hosts),
    };
    const judo_device_request request = {.choice = JUDO_DEVICE_CUDA,
                                         .module = argc > 1 ? argv[1] : NULL};
    if (judo_device_open(&request, &device, NULL) != JUDO_OK) {
        (void)fprintf(stderr, "%s\n", judo_error_message());
        return 1;
    }
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
