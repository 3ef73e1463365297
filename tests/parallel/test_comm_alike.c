/* tests/parallel/test_comm_alike.c: a communicator whose other ranks are not there, but would
 * all bring what the caller brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/agree.h"
#include "parallel/comm.h"

static judo_comm *open_comm(int size, int local_size)
{
    judo_comm *comm = NULL;
    assert_int_equal(judo_comm_alike_create(size, local_size, &comm), JUDO_OK);
    return comm;
}

static void small_reductions_count_every_rank(void **state)
{
    (void)state;
    judo_comm *comm = open_comm(6, 3);
    int64_t counts[2] = {5, -7};
    double value = 0.5;
    assert_int_equal(judo_comm_sum_i64(comm, counts, 2), JUDO_OK);
    assert_int_equal(counts[0], 30);
    assert_int_equal(counts[1], -42);
    assert_int_equal(judo_comm_max_i64(comm, counts, 2), JUDO_OK);
    assert_int_equal(counts[1], -42);
    assert_int_equal(judo_comm_sum_f64(comm, &value, 1), JUDO_OK);
    assert_true(value == 3);
    judo_comm_destroy(&comm);
}

static void gathers_have_a_copy_for_every_rank(void **state)
{
    (void)state;
    judo_comm *comm = open_comm(3, 1);
    char gathered[9] = {0};
    char *block = NULL;
    int64_t *offsets = NULL;
    assert_int_equal(judo_comm_all_gather(comm, "abc", 3, gathered), JUDO_OK);
    assert_memory_equal(gathered, "abcabcabc", 9);
    assert_int_equal(judo_comm_gather_bytes(comm, "xy", 2, &block, &offsets), JUDO_OK);
    assert_string_equal(block, "xyxyxy");
    assert_int_equal(offsets[3], 6);
    free(block);
    free(offsets);
    judo_comm_destroy(&comm);
}

static void a_reduction_sums_the_callers_slice_over_the_ranks(void **state)
{
    (void)state;
    judo_comm *comm = open_comm(3, 3);
    float values[6] = {1, 2, 3, 4, 5, 6};
    float shard[2] = {10, 20};
    const judo_reduction reduction = {
        .shard = shard, .values = values, .slice = 2, .wire = JUDO_F32, .add = true};
    assert_int_equal(judo_comm_reduce_scatter(comm, &reduction), JUDO_OK);
    assert_true(shard[0] == 13 && shard[1] == 26);
    judo_comm_destroy(&comm);
}

static void machines_are_as_large_as_asked(void **state)
{
    (void)state;
    judo_topology topology;
    judo_comm *part = NULL;
    judo_comm *comm = open_comm(8, 4);
    assert_int_equal(comm->ops->topology(comm, &topology), JUDO_OK);
    assert_int_equal(topology.num_nodes, 2);
    assert_int_equal(topology.local_size, 4);
    assert_true(topology.threads >= 1);
    assert_int_equal(judo_comm_split(comm, 0, &part), JUDO_OK);
    assert_int_equal(part->size, 8);
    judo_comm_destroy(&part);
    judo_comm_destroy(&comm);
    assert_int_equal(judo_comm_alike_create(6, 4, &comm), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_comm_alike_create(0, 1, &comm), JUDO_ERROR_ARGUMENT);
    assert_null(comm);
}

static void a_bucket_has_room_for_two_elements_of_each_rank(void **state)
{
    (void)state;
    judo_comm *comm = open_comm(4, 4);
    assert_int_equal(judo_comm_set_bucket(comm, 4096), JUDO_OK);
    assert_int_equal(comm->bucket_bytes, 4096);
    assert_int_equal(comm->scratch_bytes, 4096 + 4 * JUDO_COMM_SMALL_BYTES);
    assert_int_equal(judo_comm_set_bucket(comm, 1), JUDO_OK);
    assert_int_equal(comm->bucket_bytes, 32);
    assert_int_equal(judo_comm_set_bucket(comm, (int64_t)1 << 40), JUDO_ERROR_ARGUMENT);
    assert_int_equal(comm->bucket_bytes, 32);
    judo_comm_destroy(&comm);
}

static void an_error_is_agreed_on(void **state)
{
    (void)state;
    judo_comm *comm = open_comm(2, 2);
    assert_int_equal(judo_agree(comm, JUDO_OK), JUDO_OK);
    assert_int_equal(judo_agree(comm, JUDO_FAIL(JUDO_ERROR_IO, "gone")), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), "gone"));
    judo_comm_destroy(&comm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_reductions_count_every_rank),
        cmocka_unit_test(gathers_have_a_copy_for_every_rank),
        cmocka_unit_test(a_reduction_sums_the_callers_slice_over_the_ranks),
        cmocka_unit_test(machines_are_as_large_as_asked),
        cmocka_unit_test(a_bucket_has_room_for_two_elements_of_each_rank),
        cmocka_unit_test(an_error_is_agreed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
