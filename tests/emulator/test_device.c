/* tests/emulator/test_device.c: the CUDA module's device table on the emulated GPU, where
 * queued work is done as late as CUDA allows: copies, events, scratch memory that grows, lists
 * that come back to their beginning. */
#include "tests/runtime/ops/support.h"

#include <pthread.h>

#include "runtime/device.h"

static const judo_device *device;

static int open_device(void **state)
{
    (void)state;
    const judo_device_request request = {
        .choice = JUDO_DEVICE_CUDA, .module = getenv("JUDO_DEVICE_MODULE"), .index = 1};
    if (judo_device_open(&request, &device, NULL) != JUDO_OK) {
        print_error("%s\n", judo_error_message());
        return -1;
    }
    return 0;
}

static void *take(int64_t bytes)
{
    void *memory = NULL;
    assert_ok(device->allocate(&memory, bytes));
    assert_int_equal((uintptr_t)memory % 64, 0);
    return memory;
}

static void *take_staging(int64_t bytes)
{
    void *memory = NULL;
    assert_ok(device->allocate_staging(&memory, bytes));
    return memory;
}

/* A tensor in device memory with the values of a host tensor, which may change at once. */
static judo_tensor sent(const judo_tensor *t)
{
    judo_tensor there = *t;
    int64_t bytes = judo_tensor_count(t) * judo_dtype_bytes(t->dtype);
    there.data = take(bytes);
    assert_ok(device->copy(there.data, t->data, bytes, NULL));
    return there;
}

static void fetch(judo_tensor *to, const judo_tensor *from)
{
    assert_ok(device->copy(to->data, from->data,
                           judo_tensor_count(from) * judo_dtype_bytes(from->dtype), NULL));
}

static void release(int count, const judo_tensor *tensors)
{
    for (int i = 0; i < count; i++) {
        device->release(tensors[i].data);
    }
}

static void test_table__is_complete_and_says_what_it_is(void **state)
{
    (void)state;
    assert_ok(judo_device_check(device));
    assert_true(device->separate);
    assert_string_equal(device->name, "cuda");
    assert_non_null(strstr(device->description, "an emulation on the host, not a GPU"));
    assert_int_equal(device->replay_begin != NULL, getenv("JUDO_CUDA_GRAPHS") == NULL);
    assert_int_equal(strstr(device->description, "rows invariant") != NULL,
                     getenv("JUDO_CUDA_ROWS") != NULL);
    int64_t available = 0, total = 0, left = 0;
    assert_ok(device->memory(&available, &total));
    assert_true(0 < available && available <= total);
    void *memory = take(1 << 20);
    assert_ok(device->memory(&left, &total));
    assert_int_equal(left, available - (1 << 20));
    device->release(memory);
    device->release(NULL);
    device->release_staging(NULL);
    device->release(take(0));
    device->release_staging(take_staging(0));
    assert_int_equal(device->allocate(&memory, INT64_MAX), JUDO_ERROR_MEMORY);
    assert_int_equal(device->allocate(&memory, -1), JUDO_ERROR_ARGUMENT);
    assert_int_equal(device->allocate_staging(&memory, -1), JUDO_ERROR_ARGUMENT);
    assert_int_equal(device->copy(memory, memory, -1, NULL), JUDO_ERROR_ARGUMENT);
    assert_int_equal(device->clear(memory, -1, NULL), JUDO_ERROR_ARGUMENT);
}

enum { BYTES = 5000 };

static void fill_bytes(uint8_t *bytes, int salt)
{
    for (int i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)(i * 31 + salt);
    }
}

/* From the host to the device and back by every kind of memory; the host's own may change as
 * soon as the call returns. */
static void test_copies__keep_bytes_between_all_kinds_of_memory(void **state)
{
    (void)state;
    uint8_t own[BYTES], expected[BYTES], got[BYTES];
    uint8_t *staging = take_staging(BYTES), *back = take_staging(BYTES);
    char *first = take(BYTES), *second = take(BYTES + 3);
    for (int i = 0; i < 4; i++) {
        fill_bytes(own, i);
        fill_bytes(staging, i);
        fill_bytes(expected, i);
        assert_ok(device->copy(first, i % 2 ? staging : own, BYTES, NULL));
        memset(own, 0, sizeof own);
        assert_ok(device->copy(second + 3, first, BYTES, NULL));
        assert_ok(device->clear(first, BYTES, NULL));
        assert_ok(device->copy(i / 2 ? back : got, second + 3, BYTES, NULL));
        assert_ok(device->copy(NULL, NULL, 0, NULL));
        assert_ok(device->stream_finish(NULL));
        assert_memory_equal(i / 2 ? back : got, expected, BYTES);
        assert_ok(device->copy(got, first, BYTES, NULL));
        assert_true(got[0] == 0 && memcmp(got, got + 1, BYTES - 1) == 0);
    }
    device->release(first);
    device->release(second);
    device->release_staging(staging);
    device->release_staging(back);
}

/* A chain over two queues; the host only waits for the last. */
static void test_events__order_queues(void **state)
{
    (void)state;
    judo_stream *in = NULL, *out = NULL;
    judo_event *arrived = NULL, *computed = NULL;
    bool done = false;
    assert_ok(device->stream_create(&in));
    assert_ok(device->stream_create(&out));
    assert_ok(device->event_create(&arrived));
    assert_ok(device->event_create(&computed));
    assert_ok(device->event_done(arrived, &done));
    assert_true(done);
    judo_tensor host = new_1d(1000), zero = new_1d(1000);
    judo_tensor x = sent(&zero), sum = sent(&zero);
    float *staging = take_staging(4000), *result = take_staging(4000);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 1000; i++) {
            staging[i] = (float)(i * round);
        }
        assert_ok(device->copy(x.data, staging, 4000, in));
        assert_ok(device->event_record(arrived, in));
        assert_ok(device->event_wait(arrived, NULL));
        assert_ok(device->ops->add(&sum, &x));
        assert_ok(device->event_record(computed, NULL));
        assert_ok(device->event_wait(computed, out));
        assert_ok(device->copy(result, sum.data, 4000, out));
        int questions = 0;
        for (done = false; !done; questions++) {
            assert_ok(device->event_done(computed, &done));
        }
        assert_true(questions > 1 || getenv("JUDO_EMULATOR"));
        assert_ok(device->stream_finish(out));
        for (int i = 0; i < 1000; i++) {
            assert_true(result[i] == (float)(i * round * (round + 1) / 2));
        }
    }
    device->event_destroy(arrived);
    device->event_destroy(computed);
    device->event_destroy(NULL);
    device->stream_destroy(in);
    device->stream_destroy(out);
    device->stream_destroy(NULL);
    release(2, (judo_tensor[]){x, sum});
    device->release_staging(staging);
    device->release_staging(result);
    FREE(&host, &zero);
}

/* Ops of several sizes are queued before any is done: each must have its scratch. */
static void test_scratch__grows_while_work_is_queued(void **state)
{
    (void)state;

    enum { ROUNDS = 5 };

    const int64_t rows[ROUNDS] = {3, 200, 70, 1000, 5}, n = 65;
    judo_tensor dw[ROUNDS], dy[ROUNDS], expected[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        judo_tensor host = new_2d(rows[i], n);
        fill(&host, (uint32_t)i, 1.0f);
        expected[i] = new_1d(n);
        dy[i] = sent(&host);
        dw[i] = sent(&expected[i]);
        assert_ok(judo_ops_cpu()->linear_backward(NULL, false, NULL, &expected[i], &host, NULL,
                                                  NULL));
        FREE(&host);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_ok(device->ops->linear_backward(NULL, false, NULL, &dw[i], &dy[i], NULL, NULL));
    }
    for (int i = 0; i < ROUNDS; i++) {
        judo_tensor got = new_1d(n);
        fetch(&got, &dw[i]);
        for (int64_t j = 0; j < n; j++) {
            assert_near((double)values_of(&got)[j], (double)values_of(&expected[i])[j], 1e-5,
                        "sum", j);
        }
        FREE(&got, &expected[i]);
    }
    release(ROUNDS, dw);
    release(ROUNDS, dy);
}

enum { PLACES = 130 << 10, CALLS = 9 }; /* three lists of half a MiB each to a call */

/* Adds 1 to row `call` PLACES times, in a list that is overwritten at once. */
static void queue_call(judo_tensor *sums, const judo_tensor *ones, int32_t *list, int call)
{
    for (int i = 0; i < PLACES; i++) {
        list[i] = call;
    }
    assert_ok(device->ops->scatter_add_rows(sums, ones, list, PLACES));
    memset(list, 0x3f, PLACES * sizeof *list);
}

/* The lists of all calls need several times the room that there is. */
static void test_lists__on_their_way_are_never_overwritten(void **state)
{
    (void)state;
    judo_tensor host_ones = new_2d(PLACES, 1), host_sums = new_2d(CALLS, 1);
    fill_with(&host_ones, 1.0f);
    int32_t *list = malloc(PLACES * sizeof *list);
    assert_non_null(list);
    judo_tensor ones = sent(&host_ones), sums = sent(&host_sums);
    for (int call = 0; call < CALLS; call++) {
        queue_call(&sums, &ones, list, call);
    }
    fetch(&host_sums, &sums);
    for (int call = 0; call < CALLS; call++) {
        assert_true(values_of(&host_sums)[call] == (float)PLACES);
    }
    free(list);
    release(2, (judo_tensor[]){ones, sums});
    FREE(&host_ones, &host_sums);
}

/* One call's lists need more than the room for all. */
static void test_lists__longer_than_their_room_make_more(void **state)
{
    (void)state;

    enum { MANY = 1 << 20 };

    judo_tensor host_x = new_2d(MANY, 1), host_sum = new_2d(1, 1);
    fill_with(&host_x, 2.0f);
    int32_t *list = calloc(MANY, sizeof *list);
    assert_non_null(list);
    judo_tensor x = sent(&host_x), sum = sent(&host_sum), few = x;
    few.dims[0] = 10;
    for (int round = 0; round < 2; round++) {
        assert_ok(device->ops->scatter_add_rows(&sum, &few, list, 10));
        assert_ok(device->ops->scatter_add_rows(&sum, &x, list, MANY));
    }
    fetch(&host_sum, &sum);
    assert_true(values_of(&host_sum)[0] == (float)(4 * (MANY + 10)));
    free(list);
    release(2, (judo_tensor[]){x, sum});
    FREE(&host_x, &host_sum);
}

/* Room of its own for a copy of the tensor that `argument` is. */
static void *copy_from_thread(void *argument)
{
    const judo_tensor *from = argument;
    int64_t bytes = judo_tensor_count(from) * (int64_t)sizeof(float);
    void *memory = NULL;
    judo_stream *stream = NULL;
    judo_status status = device->allocate(&memory, bytes);
    status = status == JUDO_OK ? device->stream_create(&stream) : status;
    status = status == JUDO_OK ? device->copy(memory, from->data, bytes, stream) : status;
    status = status == JUDO_OK ? device->stream_finish(stream) : status;
    device->stream_destroy(stream);
    return status == JUDO_OK ? memory : NULL;
}

/* CUDA's current GPU is a thread's own, and is the first one unless the thread says so: this
 * device is the second. */
static void test_threads__other_than_the_first_may_copy(void **state)
{
    (void)state;
    judo_tensor host = new_1d(100);
    fill_with(&host, 1.5f);
    judo_tensor there = sent(&host), copy = host;
    assert_ok(device->stream_finish(NULL));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, copy_from_thread, &there), 0);
    assert_int_equal(pthread_join(thread, &copy.data), 0);
    assert_non_null(copy.data);
    assert_ok(device->ops->add(&copy, &there));
    fetch(&host, &copy);
    assert_true(values_of(&host)[99] == 3.0f);
    release(2, (judo_tensor[]){there, copy});
    FREE(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__is_complete_and_says_what_it_is),
        cmocka_unit_test(test_copies__keep_bytes_between_all_kinds_of_memory),
        cmocka_unit_test(test_events__order_queues),
        cmocka_unit_test(test_scratch__grows_while_work_is_queued),
        cmocka_unit_test(test_lists__on_their_way_are_never_overwritten),
        cmocka_unit_test(test_lists__longer_than_their_room_make_more),
        cmocka_unit_test(test_threads__other_than_the_first_may_copy),
    };
    return cmocka_run_group_tests(tests, open_device, NULL);
}
