/* tests/emulator/test_replay.c: runs of ops that the CUDA module replays as graphs: lists may
 * differ each time, and whatever else differs is noticed and done plainly. */
#include "tests/runtime/ops/support.h"

#include <dlfcn.h>

#include "runtime/device.h"

enum { ROWS = 40, WIDTH = 24, PICKED = 5, OUTPUTS = 16 };

static const judo_device *device;
static int (*graph_launches)(void);

static int open_device(void **state)
{
    (void)state;
    const char *module = getenv("JUDO_DEVICE_MODULE");
    const judo_device_request request = {.choice = JUDO_DEVICE_CUDA, .module = module};
    if (judo_device_open(&request, &device, NULL) != JUDO_OK) {
        print_error("%s\n", judo_error_message());
        return -1;
    }
    void *library = dlopen(module, RTLD_NOW | RTLD_NOLOAD);
    *(void **)&graph_launches = dlsym(library, "judo_emulator_graph_launches");
    return graph_launches ? 0 : -1;
}

static judo_tensor take(int64_t rows, int64_t columns)
{
    judo_tensor t = {.dtype = JUDO_F32, .num_dims = 2, .dims = {rows, columns, 1}};
    int64_t bytes = rows * columns * (int64_t)sizeof(float);
    assert_ok(device->allocate(&t.data, bytes));
    assert_ok(device->clear(t.data, bytes, NULL));
    return t;
}

static void put(const judo_tensor *t, const float *values)
{
    assert_ok(
        device->copy(t->data, values, judo_tensor_count(t) * (int64_t)sizeof(float), NULL));
}

/* Element [i, j] of the table is i + j / 100. */
static judo_tensor take_table(int64_t rows, int64_t columns)
{
    judo_tensor t = take(rows, columns);
    float *values = malloc((size_t)(rows * columns) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < rows * columns; i++) {
        values[i] = (float)(i / columns) + (float)(i % columns) / 100.0f;
    }
    put(&t, values);
    free(values);
    return t;
}

static float first_of_row(const judo_tensor *t, int64_t row)
{
    float value = 0.0f;
    const char *at = (const char *)t->data + row * t->dims[1] * (int64_t)sizeof value;
    assert_ok(device->copy(&value, at, sizeof value, NULL));
    return value;
}

/* What the tests repeat: rows of a table that change each time, and a product. */
typedef struct repeated {
    judo_replay *replay;
    judo_tensor table, picked, weights, out;
} repeated;

static repeated start(void)
{
    repeated r = {.table = take_table(ROWS, WIDTH),
                  .picked = take(PICKED, WIDTH),
                  .weights = take(OUTPUTS, WIDTH),
                  .out = take(PICKED, OUTPUTS)};
    float ones[OUTPUTS * WIDTH] = {0};
    for (int i = 0; i < OUTPUTS; i++) {
        ones[i * WIDTH] = 1.0f; /* every output is the first element of its row */
    }
    put(&r.weights, ones);
    assert_ok(device->replay_create(&r.replay));
    return r;
}

static void stop(repeated *r)
{
    device->replay_destroy(r->replay);
    judo_tensor *const tensors[] = {&r->table, &r->picked, &r->weights, &r->out};
    for (int i = 0; i < 4; i++) {
        device->release(tensors[i]->data);
    }
}

static judo_status ops_of(const repeated *r, const int32_t *index, judo_tensor *out)
{
    judo_tensor picked = r->picked;
    JUDO_TRY(device->ops->gather_rows(&picked, &r->table, index, PICKED));
    return device->ops->linear_forward(out, &picked, &r->weights, NULL);
}

static bool bracket(const repeated *r, const int32_t *index, judo_tensor *out)
{
    bool done = false;
    assert_ok(device->replay_begin(r->replay));
    assert_ok(ops_of(r, index, out));
    assert_ok(device->replay_end(r->replay, true, &done));
    return done;
}

static void assert_picked(const int32_t *index, const judo_tensor *out)
{
    for (int i = 0; i < PICKED; i++) {
        assert_true(first_of_row(out, i) == (float)index[i]);
    }
}

static void test_lists__differ_from_time_to_time(void **state)
{
    (void)state;
    repeated r = start();
    int launches = graph_launches();
    for (int32_t turn = 0; turn < 6; turn++) {
        int32_t index[PICKED];
        for (int32_t i = 0; i < PICKED; i++) {
            index[i] = (turn * 7 + i * 3) % ROWS;
        }
        assert_true(bracket(&r, index, &r.out));
        if (turn % 2 == 0) { /* the others are still in the queue when the next one begins */
            assert_picked(index, &r.out);
        }
        /* The first time is plain, the second is captured. */
        assert_int_equal(graph_launches() - launches, turn);
    }
    stop(&r);
}

static void test_lists__alike_by_chance_may_differ_later(void **state)
{
    (void)state;
    repeated r = start();
    judo_tensor again = take(PICKED, WIDTH);
    int launches = graph_launches();
    for (int32_t turn = 0; turn < 5; turn++) {
        int32_t one[PICKED] = {1, 2, 3, 4, 5};
        int32_t other[PICKED] = {1, 2, 3, 4, 5 + (turn > 2 ? turn : 0)};
        bool done = false;
        assert_ok(device->replay_begin(r.replay));
        assert_ok(device->ops->gather_rows(&r.picked, &r.table, one, PICKED));
        assert_ok(device->ops->gather_rows(&again, &r.table, other, PICKED));
        assert_ok(device->replay_end(r.replay, true, &done));
        assert_true(done);
        assert_picked(one, &r.picked);
        assert_picked(other, &again);
    }
    assert_int_equal(graph_launches() - launches, 4);
    device->release(again.data);
    stop(&r);
}

static void test_lists__longer_than_their_room_make_more(void **state)
{
    (void)state;

    enum { MANY = 20000 };

    repeated r = start();
    judo_tensor column = take_table(MANY, 1);
    judo_tensor y = take(MANY, 1);
    int32_t *index = malloc(MANY * sizeof *index);
    assert_non_null(index);
    bool done[4];
    for (int32_t turn = 0; turn < 4; turn++) {
        for (int32_t i = 0; i < MANY; i++) {
            index[i] = MANY - 1 - i - (turn + i == 0);
        }
        assert_ok(device->replay_begin(r.replay));
        assert_ok(device->ops->gather_rows(&y, &column, index, MANY));
        assert_ok(device->replay_end(r.replay, true, &done[turn]));
        if (!done[turn]) {
            assert_ok(device->ops->gather_rows(&y, &column, index, MANY));
        }
        assert_true(first_of_row(&y, 0) == (float)index[0]);
        assert_true(first_of_row(&y, MANY - 1) == (float)index[MANY - 1]);
    }
    assert_true(done[0] && !done[1] && done[2] && done[3]);
    free(index);
    device->release(column.data);
    device->release(y.data);
    stop(&r);
}

static void test_another_tensor__is_noticed_before_anything_is_queued(void **state)
{
    (void)state;
    repeated r = start();
    judo_tensor other = take(PICKED, OUTPUTS);
    const int32_t index[PICKED] = {9, 8, 7, 6, 5};
    const int32_t later[PICKED] = {4, 3, 2, 1, 39};
    for (int turn = 0; turn < 3; turn++) {
        assert_true(bracket(&r, index, &r.out));
    }
    assert_false(bracket(&r, later, &other));
    assert_true(first_of_row(&other, 0) == 0.0f);
    assert_picked(index, &r.picked);
    assert_ok(ops_of(&r, later, &other));
    assert_picked(later, &other);
    int launches = graph_launches();
    assert_true(bracket(&r, index, &other));
    assert_true(bracket(&r, later, &other));
    assert_int_equal(graph_launches() - launches, 2);
    assert_picked(later, &other);
    assert_picked(index, &r.out);
    device->release(other.data);
    stop(&r);
}

static void test_other_ops__are_noticed(void **state)
{
    (void)state;
    repeated r = start();
    const int32_t index[PICKED] = {9, 8, 7, 6, 5};
    for (int more = 0; more < 2; more++) {
        bool done = true;
        assert_true(bracket(&r, index, &r.out));
        assert_true(bracket(&r, index, &r.out));
        assert_ok(device->replay_begin(r.replay));
        if (more) {
            assert_ok(ops_of(&r, index, &r.out));
            assert_ok(device->ops->add(&r.out, &r.out));
        }
        assert_ok(device->replay_end(r.replay, true, &done));
        assert_false(done);
        assert_picked(index, &r.out);
    }
    stop(&r);
}

static void test_runs__that_always_differ_become_plain(void **state)
{
    (void)state;
    repeated r = start();
    judo_tensor outs[] = {r.out, take(PICKED, OUTPUTS)};
    int launches = graph_launches();
    int last = 0;
    for (int32_t turn = 0; turn < 24; turn++) {
        const int32_t index[PICKED] = {turn, 1, 2, 3, turn + 5};
        judo_tensor *out = &outs[turn / 2 % 2];
        if (!bracket(&r, index, out)) {
            assert_ok(ops_of(&r, index, out));
        }
        assert_picked(index, out);
        last = turn < 18 ? graph_launches() : last;
    }
    assert_true(last > launches);
    assert_int_equal(graph_launches(), last);
    device->release(outs[1].data);
    stop(&r);
}

/* A decode step in bf16 whose rows see `length` keys, which all weigh the same; the first one's
 * value is 1, the others' 0. */
static bool decode_bracket(judo_replay *replay, const judo_tensor *q, judo_tensor *out,
                           const uint16_t *keys, const uint16_t *values, int32_t length)
{
    bool done = false;
    judo_decode_row rows[2] = {{keys, values, 300, keys, keys, length},
                               {keys, values, 300, keys, keys, length - 1}};
    assert_ok(device->replay_begin(replay));
    assert_ok(device->ops->attention_decode(out, q, rows, 1, 1.0f));
    assert_ok(device->replay_end(replay, true, &done));
    if (!done) {
        assert_ok(device->ops->attention_decode(out, q, rows, 1, 1.0f));
    }
    uint16_t got[2 * 2 * 64];
    assert_ok(device->copy(got, out->data, sizeof got, NULL));
    for (int i = 0; i < 4; i++) {
        float mean = 1.0f / (float)(300 + length - i / 2);
        assert_int_equal(got[i * 64], judo_f32_to_bf16(mean));
        assert_int_equal(got[i * 64 + 63], judo_f32_to_bf16(mean));
    }
    return done;
}

static void test_decode_steps__grow_without_a_new_graph_for_most_tokens(void **state)
{
    (void)state;

    enum { DIM = 64, KEYS = 600 };

    judo_replay *replay = NULL;
    judo_tensor q = {.dtype = JUDO_BF16, .num_dims = 3, .dims = {2, 2, DIM}};
    judo_tensor out = q;
    judo_tensor keys = take(KEYS, DIM / 2), values = take(KEYS, DIM / 2); /* as fp32: zeros */
    uint16_t ones[DIM];
    int64_t bytes = judo_tensor_count(&q) * (int64_t)sizeof(uint16_t);
    for (int i = 0; i < DIM; i++) {
        ones[i] = judo_f32_to_bf16(1.0f);
    }
    assert_ok(device->allocate(&q.data, bytes));
    assert_ok(device->allocate(&out.data, bytes));
    assert_ok(device->clear(q.data, bytes, NULL));
    assert_ok(device->copy(values.data, ones, sizeof ones, NULL));
    assert_ok(device->replay_create(&replay));
    int plain = 0, steps = 0, launches = graph_launches();
    for (int32_t length = 90; length < 560; length += length % 100 < 40 ? 3 : 10) {
        plain += !decode_bracket(replay, &q, &out, keys.data, values.data, length);
        steps++;
    }
    /* Graphs are made once, and when the longest row passes 256 and 512 keys. */
    assert_int_equal(plain, 2);
    assert_int_equal(graph_launches() - launches, steps - plain - 1);
    device->replay_destroy(replay);
    void *const all[] = {q.data, out.data, keys.data, values.data};
    for (int i = 0; i < 4; i++) {
        device->release(all[i]);
    }
}

/* Work memory cannot grow while a graph is captured. */
static void test_work_memory__that_must_grow_ends_the_capture(void **state)
{
    (void)state;
    repeated r = start();
    const int64_t rows[] = {8, 600, 600, 600};
    const bool wanted[] = {true, false, true, true};
    judo_tensor x = take_table(600, 40), dx = take(600, 40), w = take(1, 40), dw = take(1, 40);
    judo_tensor rstd = take(600, 1);
    w.num_dims = dw.num_dims = rstd.num_dims = 1;
    w.dims[0] = dw.dims[0] = 40;
    w.dims[1] = dw.dims[1] = rstd.dims[1] = 1;
    for (int turn = 0; turn < 4; turn++) {
        bool done = false;
        x.dims[0] = dx.dims[0] = rstd.dims[0] = rows[turn];
        assert_ok(device->replay_begin(r.replay));
        assert_ok(device->ops->rmsnorm_backward(&dx, &dw, &x, &x, &w, &rstd));
        assert_ok(device->replay_end(r.replay, true, &done));
        assert_int_equal(done, wanted[turn]);
        if (!done) {
            assert_ok(device->ops->rmsnorm_backward(&dx, &dw, &x, &x, &w, &rstd));
        }
    }
    assert_ok(device->stream_finish(NULL));
    judo_tensor *const tensors[] = {&x, &dx, &w, &dw, &rstd};
    for (int i = 0; i < 5; i++) {
        device->release(tensors[i]->data);
    }
    stop(&r);
}

/* Whether the run is captured or compared. */
static void test_calls_that_must_not_be_inside__fail_and_leave_no_trace(void **state)
{
    (void)state;
    const int32_t index[PICKED] = {3, 14, 15, 9, 26};
    for (int before = 1; before <= 2; before++) {
        repeated r = start();
        bool done = true;
        double sum = 0.0;
        float number = 0.0f;
        for (int turn = 0; turn < before; turn++) {
            assert_true(bracket(&r, index, &r.out));
        }
        assert_ok(device->replay_begin(r.replay));
        assert_int_equal(device->replay_begin(r.replay), JUDO_ERROR_INTERNAL);
        assert_int_equal(device->ops->sum_of_squares(&sum, &r.table), JUDO_ERROR_INTERNAL);
        assert_int_equal(device->copy(&number, r.table.data, sizeof number, NULL),
                         JUDO_ERROR_INTERNAL);
        assert_int_equal(device->clear(r.table.data, sizeof number, NULL), JUDO_ERROR_INTERNAL);
        assert_int_equal(device->stream_finish(NULL), JUDO_ERROR_INTERNAL);
        assert_ok(device->replay_end(r.replay, false, &done));
        assert_false(done);
        for (int turn = 0; turn < 2; turn++) {
            assert_true(bracket(&r, index, &r.out));
            assert_picked(index, &r.out);
        }
        stop(&r);
    }
}

/* As where CUDA itself refuses a call. */
static void test_captures__that_are_spoilt_are_made_again(void **state)
{
    (void)state;
    repeated r = start();
    void *memory = NULL;
    bool done = true;
    const int32_t index[PICKED] = {3, 14, 15, 9, 26};
    assert_true(bracket(&r, index, &r.out));
    assert_ok(device->replay_begin(r.replay));
    assert_int_equal(device->allocate(&memory, 64), JUDO_ERROR_INTERNAL);
    assert_ok(device->replay_end(r.replay, true, &done));
    assert_false(done);
    int launches = graph_launches();
    assert_true(bracket(&r, index, &r.out));
    assert_true(bracket(&r, index, &r.out));
    assert_int_equal(graph_launches() - launches, 2);
    assert_picked(index, &r.out);
    stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists__differ_from_time_to_time),
        cmocka_unit_test(test_lists__alike_by_chance_may_differ_later),
        cmocka_unit_test(test_lists__longer_than_their_room_make_more),
        cmocka_unit_test(test_another_tensor__is_noticed_before_anything_is_queued),
        cmocka_unit_test(test_other_ops__are_noticed),
        cmocka_unit_test(test_runs__that_always_differ_become_plain),
        cmocka_unit_test(test_decode_steps__grow_without_a_new_graph_for_most_tokens),
        cmocka_unit_test(test_work_memory__that_must_grow_ends_the_capture),
        cmocka_unit_test(test_calls_that_must_not_be_inside__fail_and_leave_no_trace),
        cmocka_unit_test(test_captures__that_are_spoilt_are_made_again),
    };
    return cmocka_run_group_tests(tests, open_device, NULL);
}
