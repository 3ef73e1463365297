/* tests/parallel/test_comm_nccl.c: what goes wrong in a device's own collectives, injected.
 * What they compute is tested by test_comm_device.c. */
#include <math.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_device.h"
#include "parallel/comm_mpi.h"
#include "runtime/log.h"
#include "tests/parallel/fake_device.h"
#include "tests/parallel/mpi_main.h"

enum { COUNT = 1000 };

typedef struct fixture {
    judo_comm *host, *comm;
    float *slice, *whole; /* of the fake device */
} fixture;

static void *take(int64_t count)
{
    void *memory = NULL;
    assert_ok(fake_device()->allocate(&memory, count * 4));
    assert_ok(fake_device()->clear(memory, count * 4, NULL));
    return memory;
}

static void setup(fixture *f)
{
    fake_seen = (fake_counts){0};
    assert_ok(judo_comm_mpi_create(MPI_COMM_WORLD, 4096, &f->host));
    judo_comm_set_deadline(f->host, 20);
    judo_comm_set_phase(f->host, "backward");
    assert_ok(judo_comm_nccl_create(f->host, fake_device(), &f->comm));
    f->slice = take(COUNT);
    f->whole = take((int64_t)COUNT * f->host->size);
}

/* After a failure nothing of the group is left; MPI itself is sound here. */
static void teardown(fixture *f)
{
    fake = (fake_faults){0};
    judo_comm_destroy(&f->comm);
    fake_device()->release(f->slice);
    fake_device()->release(f->whole);
    f->host->broken = false;
    judo_comm_destroy(&f->host);
    assert_int_equal(fake_seen.begun, fake_seen.aborted + fake_seen.released);
    assert_int_equal(fake_seen.buffers, 0);
    assert_ok(judo_comm_barrier(process.comm));
}

static judo_status gather(const fixture *f)
{
    return judo_comm_all_gather(f->comm, f->slice, COUNT * 4, f->whole);
}

static void test_comm_nccl__ends_in_good_order(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    assert_ok(gather(&f));
    teardown(&f);
    assert_int_equal(fake_seen.released, 1);
    assert_int_equal(fake_seen.aborted, 0);
}

static void test_comm_nccl__waits_for_a_library_that_takes_its_time(void **state)
{
    fixture f;
    (void)state;
    fake.slow_settling = 30;
    setup(&f);
    judo_reduction reduction = {
        .shard = f.slice, .values = f.whole, .slice = COUNT, .wire = JUDO_BF16, .add = true};
    assert_ok(gather(&f));
    assert_ok(judo_comm_reduce_scatter(f.comm, &reduction));
    assert_ok(gather(&f));
    teardown(&f);
}

/* The message names the collective, and the group has been ended by force. */
static void check_expired(fixture *f, judo_status status, const char *named, double began)
{
    assert_int_equal(status, JUDO_ERROR_TIMEOUT);
    assert_non_null(strstr(judo_error_message(), named));
    assert_non_null(strstr(judo_error_message(), "in phase 'backward'"));
    assert_non_null(strstr(f->host->expired.text, named)); /* for the roll call */
    assert_true(judo_clock() - began < 10);
    assert_int_equal(fake_seen.aborted, 1);
    assert_true(judo_comm_is_broken(f->host));
    assert_int_equal(gather(f), JUDO_ERROR_COMM);
    judo_comm_poll(f->comm);
}

static void test_comm_nccl__gives_up_a_gather_that_never_completes(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    fake.never_completes = true;
    judo_comm_set_deadline(f.host, 0.3);
    judo_comm_set_unit(f.comm, "model.layers.3");
    double began = judo_clock();
    judo_status status = gather(&f);
    check_expired(&f, status, "all_gather of model.layers.3, 4000 bytes", began);
    teardown(&f);
}

static void test_comm_nccl__gives_up_a_reduction_that_never_completes(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    assert_ok(gather(&f));
    fake.never_completes = true;
    judo_comm_set_deadline(f.host, 0.3);
    judo_reduction reduction = {.shard = f.slice, .values = f.whole, .slice = COUNT};
    assert_ok(judo_comm_reduce_scatter_start(f.comm, &reduction));
    bool done = true;
    assert_ok(judo_comm_reduce_scatter_test(f.comm, &done));
    assert_false(done);
    double began = judo_clock();
    judo_status status = judo_comm_reduce_scatter_finish(f.comm);
    check_expired(&f, status, "reduce_scatter, ", began);
    teardown(&f);
}

static void test_comm_nccl__gives_up_a_call_that_is_never_taken_in(void **state)
{
    fixture f;
    int request;
    (void)state;
    setup(&f);
    fake.never_settles = true;
    judo_comm_set_deadline(f.host, 0.3);
    double began = judo_clock();
    judo_status status =
        judo_comm_all_gather_start(f.comm, f.slice, COUNT * 4, f.whole, &request);
    check_expired(&f, status, "all_gather, ", began);
    teardown(&f);
}

static void test_comm_nccl__gives_up_when_a_rank_does_not_come(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    if (f.host->size > 1) {
        judo_comm_set_deadline(f.host, 0.3);
        double began = judo_clock();
        if (f.host->rank != f.host->size - 1) {
            judo_status status = gather(&f);
            check_expired(&f, status, "all_gather, ", began);
        } else {
            judo_comm_break(f.comm); /* it will not end in good order either */
        }
    }
    teardown(&f);
}

static void test_comm_nccl__says_what_the_library_says(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    fake.never_completes = true;
    fake.error_after = 200;
    assert_int_equal(gather(&f), JUDO_ERROR_COMM);
    assert_non_null(strstr(judo_error_message(), "all_gather, "));
    assert_non_null(strstr(judo_error_message(), "fake: remote process exited"));
    assert_int_equal(fake_seen.aborted, 1);
    teardown(&f);
}

static void test_comm_nccl__notices_an_error_at_the_next_look(void **state)
{
    fixture f;
    int request;
    bool done;
    (void)state;
    setup(&f);
    assert_ok(judo_comm_all_gather_start(f.comm, f.slice, COUNT * 4, f.whole, &request));
    fake.error_after = 1;
    judo_comm_poll(f.comm); /* tells nothing */
    assert_int_equal(judo_comm_test(f.comm, request, &done), JUDO_ERROR_COMM);
    teardown(&f);
}

static void test_comm_nccl__all_ranks_agree_that_one_cannot_begin(void **state)
{
    judo_comm *host = NULL;
    judo_comm *comm = NULL;
    (void)state;
    assert_ok(judo_comm_mpi_create(MPI_COMM_WORLD, 0, &host));
    judo_comm_set_deadline(host, 20);
    fake_seen = (fake_counts){0};
    fake.refuses_to_begin = host->rank == host->size - 1;
    assert_int_equal(judo_comm_nccl_create(host, fake_device(), &comm), JUDO_ERROR_COMM);
    assert_null(comm);
    assert_non_null(strstr(judo_error_message(), "refuses to begin"));
    assert_int_equal(fake_seen.begun, fake_seen.aborted);
    fake = (fake_faults){0};
    host->broken = false;
    judo_comm_destroy(&host);
}

static void test_comm_nccl__gives_up_a_group_that_does_not_form(void **state)
{
    judo_comm *host = NULL;
    judo_comm *comm = NULL;
    (void)state;
    assert_ok(judo_comm_mpi_create(MPI_COMM_WORLD, 0, &host));
    judo_comm_set_deadline(host, 0.3);
    fake.never_settles = true;
    assert_int_equal(judo_comm_nccl_create(host, fake_device(), &comm), JUDO_ERROR_TIMEOUT);
    assert_non_null(strstr(judo_error_message(), "group"));
    fake = (fake_faults){0};
    host->broken = false;
    judo_comm_destroy(&host);
    assert_ok(judo_comm_barrier(process.comm));
}

static const char *transport(const char *place)
{
    judo_comm *comm = NULL;
    fake = (fake_faults){.place = place};
    assert_ok(judo_comm_on_device(process.comm, fake_device(), &comm));
    const char *name = comm->ops->name;
    judo_comm_destroy(&comm);
    fake = (fake_faults){0};
    return name;
}

static void test_comm_nccl__is_used_where_every_rank_has_a_device(void **state)
{
    (void)state;
    assert_string_equal(transport(NULL), "nccl");
    assert_string_equal(transport("0000:1B:00.0"), process.comm->size > 1 ? "staged" : "nccl");
}

static void test_comm_nccl__passes_lent_memory_on(void **state)
{
    fixture f;
    (void)state;
    fake.slow_settling = 3;
    setup(&f);
    assert_ok(judo_comm_lend(f.comm, f.whole, COUNT * 4));
    assert_ok(gather(&f));
    assert_int_equal(fake_seen.lent, COUNT * 4);
    assert_ok(judo_comm_lend(f.host, f.whole, COUNT * 4)); /* of no use there */
    teardown(&f);
}

static void test_comm_nccl__takes_loans_back_that_not_every_rank_could_make(void **state)
{
    fixture f;
    (void)state;
    fake.slow_settling = 3;
    setup(&f);
    fake.refuses_loans = f.host->rank == 0;
    assert_ok(judo_comm_lend(f.comm, f.whole, COUNT * 4));
    assert_int_equal(fake_seen.lent, 0);
    fake.refuses_loans = false;
    assert_ok(judo_comm_lend(f.comm, f.slice, COUNT));
    assert_int_equal(fake_seen.lent, COUNT);
    assert_ok(gather(&f));
    teardown(&f);
}

static void test_comm_nccl__books_its_times(void **state)
{
    fixture f;
    (void)state;
    setup(&f);
    judo_comm_times before = judo_comm_times_so_far(f.host);
    assert_ok(gather(&f));
    judo_comm_times after = judo_comm_times_so_far(f.host);
    assert_true(after.in_flight > before.in_flight);
    assert_true(after.waited > before.waited);
    teardown(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_comm_nccl__ends_in_good_order),
    cmocka_unit_test(test_comm_nccl__waits_for_a_library_that_takes_its_time),
    cmocka_unit_test(test_comm_nccl__gives_up_a_gather_that_never_completes),
    cmocka_unit_test(test_comm_nccl__gives_up_a_reduction_that_never_completes),
    cmocka_unit_test(test_comm_nccl__gives_up_a_call_that_is_never_taken_in),
    cmocka_unit_test(test_comm_nccl__gives_up_when_a_rank_does_not_come),
    cmocka_unit_test(test_comm_nccl__says_what_the_library_says),
    cmocka_unit_test(test_comm_nccl__notices_an_error_at_the_next_look),
    cmocka_unit_test(test_comm_nccl__all_ranks_agree_that_one_cannot_begin),
    cmocka_unit_test(test_comm_nccl__gives_up_a_group_that_does_not_form),
    cmocka_unit_test(test_comm_nccl__is_used_where_every_rank_has_a_device),
    cmocka_unit_test(test_comm_nccl__passes_lent_memory_on),
    cmocka_unit_test(test_comm_nccl__takes_loans_back_that_not_every_rank_could_make),
    cmocka_unit_test(test_comm_nccl__books_its_times),
};

JUDO_MPI_TEST_MAIN(tests)
