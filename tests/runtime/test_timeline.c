/* tests/runtime/test_timeline.c: recorded spans read back as a Chrome trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/timeline.h"

/* The events as a parsed array; the caller frees document and writer. */
static judo_json *written(judo_json_writer *writer)
{
    judo_json *document = NULL;
    judo_json_begin_array(writer, NULL);
    judo_timeline_write(writer);
    judo_json_end_array(writer);
    assert_int_equal(judo_json_writer_check(writer), JUDO_OK);
    assert_int_equal(judo_json_parse(writer->text, writer->length, "trace", &document),
                     JUDO_OK);
    return document;
}

static const judo_json *find(const judo_json *events, const char *name)
{
    for (const judo_json *e = judo_json_first(events); e; e = judo_json_next(e)) {
        const char *text;
        assert_int_equal(judo_json_get_string(e, "name", "trace", &text), JUDO_OK);
        if (strcmp(text, name) == 0) {
            return e;
        }
    }
    return NULL;
}

static void test_timeline__writes_spans_with_rank_lane_and_duration(void **state)
{
    (void)state;
    assert_int_equal(judo_timeline_start(3, 8), JUDO_OK);
    judo_timeline_span(JUDO_LANE_GATHER, "decoder.1", 10.0, 10.25);
    judo_timeline_stop();
    judo_timeline_span(JUDO_LANE_GATHER, "too late", 11.0, 12.0);
    judo_json_writer writer = {0};
    judo_json *events = written(&writer);
    const judo_json *span = find(events, "decoder.1");
    int64_t rank, lane;
    double duration;
    assert_non_null(span);
    assert_int_equal(judo_json_get_int(span, "pid", "trace", &rank), JUDO_OK);
    assert_int_equal(judo_json_get_int(span, "tid", "trace", &lane), JUDO_OK);
    assert_int_equal(judo_json_get_double(span, "dur", "trace", &duration), JUDO_OK);
    assert_int_equal(rank, 3);
    assert_int_equal(lane, JUDO_LANE_GATHER);
    assert_true(duration > 249999.0 && duration < 250001.0);
    assert_null(find(events, "too late"));
    assert_non_null(find(events, "process_name"));
    judo_json_free(&events);
    judo_json_writer_free(&writer);
    judo_timeline_forget();
}

static void test_timeline__counts_what_does_not_fit(void **state)
{
    (void)state;
    assert_int_equal(judo_timeline_start(0, 2), JUDO_OK);
    for (int i = 0; i < 5; i++) {
        judo_timeline_span(JUDO_LANE_STEP, "a name that is longer than a span can keep", 1, 2);
    }
    assert_int_equal(judo_timeline_dropped(), 3);
    judo_timeline_forget();
    assert_int_equal(judo_timeline_dropped(), 0);
}

static void *add_loader_span(void *name)
{
    judo_timeline_span(JUDO_LANE_LOADER, name, 1, 2);
    return NULL;
}

static void test_timeline__gives_each_loader_thread_its_lane(void **state)
{
    (void)state;
    pthread_t threads[2];
    char names[2][8] = {"first", "second"};
    assert_int_equal(judo_timeline_start(0, 8), JUDO_OK);
    for (int i = 0; i < 2; i++) { /* both alive at once: their ids differ */
        assert_int_equal(pthread_create(&threads[i], NULL, add_loader_span, names[i]), 0);
    }
    add_loader_span((char[]){"third"});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    judo_json_writer writer = {0};
    judo_json *events = written(&writer);
    int64_t lanes[2];
    assert_int_equal(judo_json_get_int(find(events, "first"), "tid", "trace", &lanes[0]),
                     JUDO_OK);
    assert_int_equal(judo_json_get_int(find(events, "third"), "tid", "trace", &lanes[1]),
                     JUDO_OK);
    assert_int_not_equal(lanes[0], lanes[1]);
    judo_json_free(&events);
    judo_json_writer_free(&writer);
    judo_timeline_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeline__writes_spans_with_rank_lane_and_duration),
        cmocka_unit_test(test_timeline__counts_what_does_not_fit),
        cmocka_unit_test(test_timeline__gives_each_loader_thread_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
