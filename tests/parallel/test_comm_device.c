/* tests/parallel/test_comm_device.c: collectives on a device's memory, in tiny buckets, too. */
#include <math.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_device.h"
#include "parallel/comm_mpi.h"
#include "tests/parallel/mpi_main.h"
#include "tests/parallel/test_device.h"

typedef struct fixture {
    judo_comm *host, *device;
} fixture;

static const int64_t buckets[] = {64, 4096, 0};

enum { BUCKETS = sizeof buckets / sizeof buckets[0] };

static void setup(fixture *f, int64_t bucket)
{
    f->host = process.comm;
    if (process.is_mpi) {
        assert_ok(judo_comm_mpi_create(MPI_COMM_WORLD, bucket, &f->host));
    }
    assert_ok(test_device()->collectives
                  ? judo_comm_nccl_create(f->host, test_device(), &f->device)
                  : judo_comm_staged_create(f->host, test_device(), &f->device));
    judo_comm_set_deadline(f->host, 20);
}

static void teardown(fixture *f)
{
    judo_comm_destroy(&f->device);
    assert_null(f->device);
    if (f->host != process.comm) {
        judo_comm_destroy(&f->host);
    }
}

static unsigned char byte_of(int rank, int64_t i)
{
    return (unsigned char)(i * 31 + rank * 7 + i / 251);
}

/* In place: the slice is a part of the result's memory. */
static void check_all_gather(const fixture *f, int64_t bytes, bool in_place)
{
    const judo_comm *comm = f->device;
    int64_t total = bytes * comm->size;
    unsigned char *content = calloc((size_t)total + 1, 1);
    for (int64_t i = 0; i < bytes; i++) {
        content[(in_place ? comm->rank * bytes : 0) + i] = byte_of(comm->rank, i);
    }
    unsigned char *slice = test_device_put(content, in_place ? total : bytes);
    unsigned char *out = in_place ? slice : test_device_put(content, total);
    assert_ok(judo_comm_all_gather(f->device, in_place ? slice + comm->rank * bytes : slice,
                                   bytes, out));
    unsigned char *found = test_device_get(out, total);
    for (int64_t i = 0; i < total; i++) {
        assert_int_equal(found[i], byte_of((int)(i / bytes), i % bytes));
    }
    free(content);
    free(found);
    test_device()->release(slice);
    if (!in_place) {
        test_device()->release(out);
    }
}

static void test_comm_device__gathers_slices_in_rank_order(void **state)
{
    static const int64_t sizes[] = {0, 1, 64, 65, 1000, 30011};
    (void)state;
    for (int b = 0; b < BUCKETS; b++) {
        fixture f;
        setup(&f, buckets[b]);
        for (int i = 0; i < 6; i++) {
            check_all_gather(&f, sizes[i], false);
            check_all_gather(&f, sizes[i], true);
        }
        teardown(&f);
    }
}

static float value_of(int rank, int64_t i)
{
    return (float)((i * 7919 + rank * 104729) % 1000) * 0.001f + (float)rank * 1e-6f;
}

/* The same reduction of host memory. */
static void reduce_on_host(const fixture *f, float *values, float *shard,
                           const judo_reduction *like)
{
    judo_reduction reduction = *like;
    reduction.values = values;
    reduction.shard = shard;
    assert_ok(judo_comm_reduce_scatter(f->host, &reduction));
}

/* A library that adds up fp32 has its own order. */
static bool sums_like_the_host(const judo_comm *comm, judo_dtype wire)
{
    return strcmp(comm->ops->name, "staged") == 0 || wire != JUDO_F32 || comm->size <= 2;
}

static void check_reduce_scatter(const fixture *f, int64_t slice, judo_dtype wire, bool add)
{
    const judo_comm *comm = f->device;
    const int64_t element = sizeof(float);
    int64_t total = slice * comm->size;
    float *values = malloc((size_t)((total + 1) * element));
    float *expected = malloc((size_t)((slice + 1) * element));
    for (int64_t i = 0; i < total; i++) {
        values[i] = value_of(comm->rank, i);
    }
    for (int64_t i = 0; i < slice; i++) {
        expected[i] = 0.125f * (float)i;
    }
    float *there = test_device_put(values, total * element);
    float *apart = test_device_put(expected, slice * element);
    float *shard = add ? apart : there + comm->rank * slice;
    judo_reduction reduction = {
        .shard = shard, .values = there, .slice = slice, .wire = wire, .add = add};
    assert_ok(judo_comm_reduce_scatter_start(f->device, &reduction));
    for (int polls = 0; polls < comm->rank * 3; polls++) {
        judo_comm_poll(f->device);
    }
    reduce_on_host(f, values, expected, &reduction); /* overtakes it, on some ranks */
    assert_ok(judo_comm_reduce_scatter_finish(f->device));
    float *found = test_device_get(shard, slice * element);
    if (sums_like_the_host(comm, wire)) {
        assert_memory_equal(found, expected, (size_t)(slice * element));
    }
    for (int64_t i = 0; i < slice; i++) {
        assert_true(fabsf(found[i] - expected[i]) <= 1e-6f * fabsf(expected[i]));
    }
    test_device()->release(there);
    test_device()->release(apart);
    free(values);
    free(expected);
    free(found);
}

static void test_comm_device__sums_as_on_the_host(void **state)
{
    static const int64_t slices[] = {0, 1, 16, 1025, 10007};
    (void)state;
    for (int b = 0; b < BUCKETS; b++) {
        fixture f;
        setup(&f, buckets[b]);
        for (int i = 0; i < (buckets[b] == 64 ? 4 : 5); i++) {
            check_reduce_scatter(&f, slices[i], JUDO_F32, true);
            check_reduce_scatter(&f, slices[i], JUDO_F32, false);
            check_reduce_scatter(&f, slices[i], JUDO_BF16, true);
        }
        teardown(&f);
    }
}

/* Gathers before, behind and around a reduction, ended in another order than begun. */
static void test_comm_device__keeps_gathers_and_a_reduction_under_way(void **state)
{
    enum { NUM = 4, COUNT = 3000 };

    fixture f;
    int requests[NUM];
    float *slices[NUM];
    float *out[NUM];
    float content[COUNT];
    (void)state;
    setup(&f, 4096);
    int size = f.device->size;
    float *values = calloc((size_t)(COUNT * size), sizeof *values);
    for (int i = 0; i < COUNT * size; i++) {
        values[i] = (float)(i % 100) + 1;
    }
    float *there = test_device_put(values, COUNT * size * 4);
    float *shard = test_device_put(values, COUNT * 4);
    judo_reduction reduction = {.shard = shard, .values = there, .slice = COUNT};
    for (int n = 0; n < NUM; n++) {
        for (int i = 0; i < COUNT; i++) {
            content[i] = (float)(n * 100 + f.device->rank);
        }
        slices[n] = test_device_put(content, sizeof content);
        out[n] = test_device_put(values, COUNT * size * 4);
        assert_ok(judo_comm_all_gather_start(f.device, slices[n], sizeof content, out[n],
                                             &requests[n]));
        if (n == 1) {
            assert_ok(judo_comm_reduce_scatter_start(f.device, &reduction));
        }
    }
    bool done = false;
    while (!done) {
        assert_ok(judo_comm_test(f.device, requests[NUM - 1], &done));
    }
    assert_ok(judo_comm_reduce_scatter_finish(f.device));
    for (int n = 0; n < NUM; n++) {
        if (n < NUM - 1) {
            assert_ok(judo_comm_wait(f.device, requests[n]));
        }
        float *found = test_device_get(out[n], COUNT * size * 4);
        for (int i = 0; i < COUNT * size; i++) {
            assert_true(found[i] == (float)(n * 100 + i / COUNT));
        }
        free(found);
        test_device()->release(slices[n]);
        test_device()->release(out[n]);
    }
    float *sum = test_device_get(shard, COUNT * 4);
    for (int i = 0; i < COUNT; i++) {
        assert_true(sum[i] == (float)size * values[f.device->rank * COUNT + i]);
    }
    free(sum);
    free(values);
    test_device()->release(there);
    test_device()->release(shard);
    teardown(&f);
}

/* An op that is queued behind the wait sees the result, one before the start has been seen. */
static void test_comm_device__is_in_order_with_what_is_computed(void **state)
{
    enum { COUNT = 2000 };

    fixture f;
    (void)state;
    setup(&f, 4096);
    int size = f.device->size;
    float *ones = malloc((size_t)(COUNT * size) * sizeof *ones);
    for (int i = 0; i < COUNT * size; i++) {
        ones[i] = 1;
    }
    float *values = test_device_put(ones, COUNT * size * 4);
    float *slice = test_device_put(ones, COUNT * 4);
    judo_tensor whole = judo_tensor_1d(values, JUDO_F32, (int64_t)COUNT * size);
    judo_tensor part = judo_tensor_1d(slice, JUDO_F32, COUNT);
    for (int round = 0; round < 3; round++) { /* slice = 1, 3, 9 on all ranks */
        int request = 0;
        assert_ok(judo_comm_all_gather_start(f.device, slice, COUNT * 4, values, &request));
        judo_comm_poll(f.device);
        assert_ok(judo_comm_wait(f.device, request));
        judo_tensor head = judo_tensor_1d(values, JUDO_F32, COUNT);
        assert_ok(test_device()->ops->add(&part, &head)); /* 2, 6, .. */
        assert_ok(test_device()->ops->add(&part, &head));
        assert_ok(test_device()->clear(values, COUNT * size * 4, NULL));
        assert_ok(test_device()->ops->add(&whole, &whole));
    }
    float *found = test_device_get(slice, COUNT * 4);
    for (int i = 0; i < COUNT; i++) {
        assert_true(found[i] == 27);
    }
    free(found);
    free(ones);
    test_device()->release(values);
    test_device()->release(slice);
    teardown(&f);
}

static void test_comm_device__is_the_same_communicator_for_host_memory(void **state)
{
    judo_comm *comm = NULL;
    (void)state;
    assert_ok(judo_comm_on_device(process.comm, judo_device_cpu(), &comm));
    assert_ptr_equal(comm, process.comm);
    assert_ok(judo_comm_on_device(process.comm, test_device(), &comm));
    assert_int_equal(comm != process.comm, test_device()->separate);
    if (test_device()->separate) {
        assert_string_equal(comm->ops->name, test_device()->collectives ? "nccl" : "staged");
    }
    if (comm != process.comm) {
        judo_comm_destroy(&comm);
    }
}

static void test_comm_device__breaks_with_the_whole(void **state)
{
    fixture f;
    char byte = 0;
    (void)state;
    setup(&f, 0);
    judo_comm_break(f.device);
    assert_int_equal(judo_comm_all_gather(f.device, &byte, 1, &byte), JUDO_ERROR_COMM);
    double value = 1;
    assert_int_equal(judo_comm_sum_f64(f.host, &value, 1), JUDO_ERROR_COMM);
    f.device->broken = f.host->broken = false; /* nothing is in flight */
    teardown(&f);
}

static void test_comm_device__leaves_host_memory_to_the_host(void **state)
{
    fixture f;
    int64_t value = 3;
    judo_comm *part = NULL;
    (void)state;
    setup(&f, 0);
    assert_int_equal(judo_comm_broadcast(f.device, &value, sizeof value, 0),
                     JUDO_ERROR_INTERNAL);
    assert_int_equal(judo_comm_set_bucket(f.device, 100), JUDO_ERROR_INTERNAL);
    assert_int_equal(f.device->ops->split(f.device, 0, &part), JUDO_ERROR_INTERNAL);
    teardown(&f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_comm_device__gathers_slices_in_rank_order),
    cmocka_unit_test(test_comm_device__sums_as_on_the_host),
    cmocka_unit_test(test_comm_device__keeps_gathers_and_a_reduction_under_way),
    cmocka_unit_test(test_comm_device__is_in_order_with_what_is_computed),
    cmocka_unit_test(test_comm_device__is_the_same_communicator_for_host_memory),
    cmocka_unit_test(test_comm_device__breaks_with_the_whole),
    cmocka_unit_test(test_comm_device__leaves_host_memory_to_the_host),
};

JUDO_MPI_TEST_MAIN(tests)
