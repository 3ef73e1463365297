/* tests/parallel/test_comm.c: collectives on any number of ranks, also in tiny buckets. */
#include <math.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/comm_mpi.h"
#include "parallel/interrupt.h"
#include "tests/parallel/mpi_main.h"

/* With buckets of `bytes`; the program's own communicator where there is no MPI. */
static judo_comm *comm_with_buckets(int64_t bytes)
{
    judo_comm *comm = process.comm;
    if (process.is_mpi) {
        assert_ok(judo_comm_mpi_create(MPI_COMM_WORLD, bytes, &comm));
    }
    return comm;
}

static void done_with(judo_comm *comm)
{
    if (comm != process.comm) {
        judo_comm_destroy(&comm);
    }
}

static void check_all_gather(judo_comm *comm, int64_t bytes)
{
    unsigned char *slice = malloc((size_t)bytes + 1);
    unsigned char *out = malloc((size_t)(bytes * comm->size) + 1);
    for (int64_t i = 0; i < bytes; i++) {
        slice[i] = (unsigned char)(i * 31 + comm->rank * 7);
    }
    assert_ok(judo_comm_all_gather(comm, slice, bytes, out));
    for (int r = 0; r < comm->size; r++) {
        for (int64_t i = 0; i < bytes; i++) {
            assert_int_equal(out[r * bytes + i], (unsigned char)(i * 31 + r * 7));
        }
    }
    free(slice);
    free(out);
}

static void test_comm__gathers_slices_in_rank_order(void **state)
{
    static const int64_t sizes[] = {0, 1, 63, 64, 65, 1000, 100003};
    static const int64_t buckets[] = {64, 4096, 0};
    (void)state;
    for (int b = 0; b < 3; b++) {
        judo_comm *comm = comm_with_buckets(buckets[b]);
        for (int i = 0; i < 7; i++) {
            check_all_gather(comm, sizes[i]);
        }
        done_with(comm);
    }
}

static void test_comm__keeps_several_gathers_under_way(void **state)
{
    enum { NUM = 4, COUNT = 5000 };

    judo_comm *comm = comm_with_buckets(1024);
    float slices[NUM][COUNT];
    float *out[NUM];
    int request[NUM];
    (void)state;
    for (int n = 0; n < NUM; n++) {
        for (int i = 0; i < COUNT; i++) {
            slices[n][i] = (float)(n * 100 + comm->rank);
        }
        out[n] = malloc(sizeof(float) * COUNT * (size_t)comm->size);
        assert_ok(
            judo_comm_all_gather_start(comm, slices[n], sizeof slices[n], out[n], &request[n]));
    }
    judo_comm_poll(comm);
    bool done = false;
    for (int spin = 0; !done && spin < 100000000; spin++) {
        assert_ok(judo_comm_test(comm, request[NUM - 1], &done));
    }
    assert_true(done);
    for (int n = 0; n < NUM; n++) {
        if (n < NUM - 1) {
            assert_ok(judo_comm_wait(comm, request[n]));
        }
        for (int r = 0; r < comm->size; r++) {
            assert_true(out[n][r * COUNT] == (float)(n * 100 + r));
            assert_true(out[n][r * COUNT + COUNT - 1] == (float)(n * 100 + r));
        }
        free(out[n]);
    }
    done_with(comm);
}

static float value_of(int rank, int64_t i)
{
    return (float)((i * 7919 + rank * 104729) % 1000) * 0.001f + (float)rank * 1e-6f;
}

static float rounded(float value, judo_dtype wire)
{
    return wire == JUDO_BF16 ? judo_bf16_to_f32(judo_f32_to_bf16(value)) : value;
}

static float expected_sum(const judo_comm *comm, int64_t element, judo_dtype wire)
{
    float sum = rounded(value_of(0, element), wire);
    for (int r = 1; r < comm->size; r++) {
        sum += rounded(value_of(r, element), wire);
    }
    return sum;
}

/* Polls between start and finish; the sum goes to a place of its own or into the values. */
static void check_reduce_scatter(judo_comm *comm, int64_t slice, judo_dtype wire, bool add)
{
    size_t total = (size_t)(slice * comm->size);
    float *values = malloc((total + 1) * sizeof *values);
    float *separate = malloc(((size_t)slice + 1) * sizeof *separate);
    float *shard = add ? separate : values + comm->rank * slice;
    for (int64_t i = 0; i < slice; i++) {
        separate[i] = 0.125f * (float)i;
    }
    for (int64_t i = 0; i < (int64_t)total; i++) {
        values[i] = value_of(comm->rank, i);
    }
    judo_reduction reduction = {
        .shard = shard, .values = values, .slice = slice, .wire = wire, .add = add};
    assert_ok(judo_comm_reduce_scatter_start(comm, &reduction));
    for (int polls = 0; polls < comm->rank * 3; polls++) {
        judo_comm_poll(comm);
    }
    double other = 1;
    assert_ok(judo_comm_sum_f64(comm, &other, 1)); /* another collective overtakes it */
    assert_true(other == comm->size);
    assert_ok(judo_comm_reduce_scatter_finish(comm));
    for (int64_t i = 0; i < slice; i++) {
        float sum = expected_sum(comm, comm->rank * slice + i, wire);
        float expected = add ? 0.125f * (float)i + sum : sum;
        assert_memory_equal(&shard[i], &expected, sizeof expected);
    }
    free(values);
    free(separate);
}

static void test_comm__reduces_in_rank_order_to_the_bit(void **state)
{
    static const int64_t slices[] = {0, 1, 16, 1023, 1024, 1025, 40000};
    static const int64_t buckets[] = {64, 4096, 0};
    (void)state;
    for (int b = 0; b < 3; b++) {
        judo_comm *comm = comm_with_buckets(buckets[b]);
        for (int i = 0; i < (buckets[b] == 64 ? 6 : 7); i++) { /* not ten thousand messages */
            check_reduce_scatter(comm, slices[i], JUDO_F32, true);
            check_reduce_scatter(comm, slices[i], JUDO_F32, false);
            check_reduce_scatter(comm, slices[i], JUDO_BF16, true);
            check_reduce_scatter(comm, slices[i], JUDO_BF16, false);
        }
        done_with(comm);
    }
}

static void test_comm__a_reduction_waits_for_the_one_before(void **state)
{
    enum { SLICE = 3000 };

    judo_comm *comm = comm_with_buckets(4096);
    float *values = malloc(SLICE * (size_t)comm->size * sizeof *values);
    static float sums[3][SLICE];
    (void)state;
    for (int64_t i = 0; i < SLICE * comm->size; i++) {
        values[i] = value_of(comm->rank, i);
    }
    for (int i = 0; i < 3; i++) {
        judo_reduction reduction = {.shard = sums[i], .values = values, .slice = SLICE};
        assert_ok(judo_comm_reduce_scatter_start(comm, &reduction));
    }
    assert_ok(judo_comm_reduce_scatter_finish(comm));
    assert_ok(judo_comm_reduce_scatter_finish(comm));
    for (int64_t i = 0; i < SLICE; i++) {
        float expected = expected_sum(comm, comm->rank * SLICE + i, JUDO_F32);
        for (int k = 0; k < 3; k++) {
            assert_memory_equal(&sums[k][i], &expected, sizeof expected);
        }
    }
    free(values);
    done_with(comm);
}

static void test_comm__reduces_small_vectors(void **state)
{
    enum { COUNT = 150 };

    judo_comm *comm = process.comm;
    double doubles[COUNT];
    int64_t sums[COUNT];
    int64_t maxima[COUNT];
    double negative[COUNT];
    double invalid[2] = {comm->rank == comm->size - 1 ? NAN : 5.0, -1.0 - comm->rank};
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        doubles[i] = 0.1 * i + comm->rank;
        negative[i] = -0.5 * i - comm->rank;
        sums[i] = i + comm->rank;
        maxima[i] = -((int64_t)1 << 62) + (i % comm->size == comm->rank ? i : 0);
    }
    assert_ok(judo_comm_sum_f64(comm, doubles, COUNT));
    assert_ok(judo_comm_sum_i64(comm, sums, COUNT));
    assert_ok(judo_comm_max_i64(comm, maxima, COUNT));
    assert_ok(judo_comm_max_f64(comm, negative, COUNT));
    assert_ok(judo_comm_max_f64(comm, invalid, 2));
    assert_true(isnan(invalid[0]) && invalid[1] == -1.0);
    for (int i = 0; i < COUNT; i++) {
        double expected = 0.1 * i;
        for (int r = 1; r < comm->size; r++) {
            expected += 0.1 * i + r;
        }
        assert_memory_equal(&doubles[i], &expected, sizeof expected);
        assert_true(negative[i] == -0.5 * i);
        assert_int_equal(sums[i], i * comm->size + comm->size * (comm->size - 1) / 2);
        assert_int_equal(maxima[i], -((int64_t)1 << 62) + i);
    }
}

static void test_comm__broadcasts_from_any_rank(void **state)
{
    judo_comm *comm = comm_with_buckets(64);
    char data[1000];
    (void)state;
    for (int root = 0; root < comm->size; root++) {
        memset(data, comm->rank == root ? 'a' + root : '?', sizeof data);
        assert_ok(judo_comm_broadcast(comm, data, sizeof data, root));
        assert_int_equal(data[0], 'a' + root);
        assert_int_equal(data[sizeof data - 1], 'a' + root);
    }
    assert_ok(judo_comm_barrier(comm));
    done_with(comm);
}

static void test_comm__gathers_texts_of_any_length_to_rank_0(void **state)
{
    judo_comm *comm = process.comm;
    char text[64];
    char *all = NULL;
    int64_t *offsets = NULL;
    (void)state;
    memset(text, 'a' + comm->rank, sizeof text);
    int64_t bytes = comm->rank == 1 ? 0 : 10 + comm->rank;
    assert_ok(judo_comm_gather_bytes(comm, text, bytes, &all, &offsets));
    if (comm->rank != 0) {
        assert_null(all);
        assert_null(offsets);
        return;
    }
    for (int r = 0; r < comm->size; r++) {
        assert_int_equal(offsets[r + 1] - offsets[r], r == 1 ? 0 : 10 + r);
        for (int64_t i = offsets[r]; i < offsets[r + 1]; i++) {
            assert_int_equal(all[i], 'a' + r);
        }
    }
    free(all);
    free(offsets);
}

static void test_comm__agrees_on_the_first_failing_rank(void **state)
{
    judo_comm *comm = process.comm;
    int last = comm->size - 1;
    (void)state;
    assert_ok(judo_agree(comm, JUDO_OK));
    judo_status mine =
        comm->rank == last ? JUDO_FAIL(JUDO_ERROR_IO, "disk %d is on fire", last) : JUDO_OK;
    assert_int_equal(judo_agree(comm, mine), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "is on fire"));
    if (comm->size > 1) {
        char prefix[32];
        (void)snprintf(prefix, sizeof prefix, "rank %d: disk", last);
        assert_memory_equal(judo_error_message(), prefix, strlen(prefix));
    }
    /* A request to stop yields to an error. */
    mine = comm->rank == last ? JUDO_FAIL(JUDO_ERROR_FORMAT, "bad") : JUDO_EXIT_REQUEUE;
    assert_int_equal(judo_agree(comm, mine), JUDO_ERROR_FORMAT);
    assert_int_equal(judo_agree(comm, JUDO_EXIT_REQUEUE), JUDO_EXIT_REQUEUE);
}

static void test_comm__knows_its_machine(void **state)
{
    (void)state;
    assert_int_equal(process.topology.num_nodes, 1);
    assert_int_equal(process.topology.node, 0);
    assert_int_equal(process.topology.local_size, process.comm->size);
    assert_int_equal(process.topology.local_rank, process.comm->rank);
    assert_true(process.topology.threads >= 1);
    assert_true(process.topology.num_cpus >= 1);
}

static void test_comm__a_signal_on_one_rank_stops_all(void **state)
{
    judo_comm *comm = process.comm;
    bool stop = true;
    (void)state;
    assert_ok(judo_interrupt_install());
    assert_ok(judo_interrupt_agreed(comm, &stop));
    assert_false(stop);
    assert_ok(judo_comm_barrier(comm));
    if (comm->rank == comm->size - 1) {
        assert_int_equal(raise(SIGUSR1), 0);
        assert_int_equal(raise(SIGTERM), 0); /* at once: the same request */
    }
    assert_ok(judo_interrupt_agreed(comm, &stop));
    assert_true(stop);
    assert_int_equal(judo_interrupt_pending() != 0, comm->rank == comm->size - 1);
}

static void test_comm__splits_into_groups_that_sum_apart(void **state)
{
    judo_comm *part = NULL;
    judo_comm *comm = process.comm;
    int color = comm->rank % 2;
    double sum = comm->rank;
    double expected = 0;
    (void)state;
    assert_ok(judo_comm_split(comm, color, &part));
    assert_int_equal(part->size, (comm->size + 1 - color) / 2);
    assert_int_equal(part->rank, comm->rank / 2);
    double before = judo_comm_times_so_far(comm).in_flight;
    assert_ok(judo_comm_sum_f64(part, &sum, 1));
    for (int r = color; r < comm->size; r += 2) {
        expected += r;
    }
    assert_true(sum == expected);
    assert_true(judo_comm_times_so_far(comm).in_flight > before); /* booked to the whole job */
    check_reduce_scatter(part, 100, JUDO_F32, true);
    judo_comm_destroy(&part);
}

static const judo_flight *last_flight(const judo_comm *comm)
{
    return judo_flight_get(&comm->recorder, comm->recorder.last);
}

static void test_comm__records_the_unit_that_a_collective_carries(void **state)
{
    judo_comm *comm = process.comm;
    double value = 1;
    (void)state;
    judo_comm_set_phase(comm, "backward");
    judo_comm_set_unit(comm, "model.layers.3");
    assert_ok(judo_comm_sum_f64(comm, &value, 1));
    assert_string_equal(last_flight(comm)->unit, "model.layers.3");
    judo_flight_notice notice = judo_flight_describe(&comm->recorder, comm->recorder.last);
    assert_non_null(
        strstr(notice.text, "sum_f64 of model.layers.3, 8 bytes, in phase 'backward'"));
    assert_ok(judo_comm_sum_f64(comm, &value, 1));
    assert_string_equal(last_flight(comm)->unit, ""); /* of the next one only */
    judo_comm_set_phase(comm, "start");
}

static void test_comm__a_group_breaks_with_the_whole(void **state)
{
    judo_comm *whole = comm_with_buckets(0);
    judo_comm *part = NULL;
    double value = 1;
    (void)state;
    assert_ok(judo_comm_split(whole, 0, &part));
    judo_comm_break(part);
    assert_int_equal(judo_comm_sum_f64(part, &value, 1), JUDO_ERROR_COMM);
    assert_int_equal(judo_comm_sum_f64(whole, &value, 1), JUDO_ERROR_COMM);
    part->broken = whole->broken = false; /* nothing is in flight */
    judo_comm_destroy(&part);
    done_with(whole);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_comm__gathers_slices_in_rank_order),
    cmocka_unit_test(test_comm__keeps_several_gathers_under_way),
    cmocka_unit_test(test_comm__reduces_in_rank_order_to_the_bit),
    cmocka_unit_test(test_comm__splits_into_groups_that_sum_apart),
    cmocka_unit_test(test_comm__records_the_unit_that_a_collective_carries),
    cmocka_unit_test(test_comm__a_group_breaks_with_the_whole),
    cmocka_unit_test(test_comm__a_reduction_waits_for_the_one_before),
    cmocka_unit_test(test_comm__reduces_small_vectors),
    cmocka_unit_test(test_comm__broadcasts_from_any_rank),
    cmocka_unit_test(test_comm__gathers_texts_of_any_length_to_rank_0),
    cmocka_unit_test(test_comm__agrees_on_the_first_failing_rank),
    cmocka_unit_test(test_comm__knows_its_machine),
    cmocka_unit_test(test_comm__a_signal_on_one_rank_stops_all),
};

JUDO_MPI_TEST_MAIN(tests)
