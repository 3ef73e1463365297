/* tests/stages/test_phases.c: who is the slowest, and in what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "runtime/log.h"
#include "stages/phases.h"

static void test_straggler__is_the_rank_with_most_work(void **state)
{
    (void)state;
    double work[4][JUDO_NUM_PHASES] = {
        {1, 0, 0, 5, 1, 0}, {1, 0, 0, 5, 1, 0}, {1, 0, 0, 12, 1, 0}, {3, 0, 0, 4, 1, 0}};
    judo_straggler slowest = judo_straggler_find(&work[0][0], 4);
    assert_int_equal(slowest.rank, 2);
    assert_int_equal(slowest.phase, JUDO_PHASE_MODEL);
    assert_true(slowest.factor == 2);
    assert_true(slowest.excess == 7);
}

static void test_straggler__of_two_ranks_is_compared_with_the_other(void **state)
{
    (void)state;
    double work[2][JUDO_NUM_PHASES] = {{4, 0, 0, 5, 1, 0}, {1, 0, 0, 3, 1, 0}};
    judo_straggler slowest = judo_straggler_find(&work[0][0], 2);
    assert_int_equal(slowest.rank, 0);
    assert_int_equal(slowest.phase, JUDO_PHASE_DATA);
    assert_true(slowest.factor == 2);
}

static void test_straggler__without_any_work_is_nobody(void **state)
{
    (void)state;
    double work[3][JUDO_NUM_PHASES] = {{0}};
    assert_true(judo_straggler_find(&work[0][0], 3).factor == 1);
}

static judo_status slow_wait(judo_comm *comm, int request)
{
    (void)comm;
    (void)request;
    (void)usleep(50000);
    return JUDO_OK;
}

static void test_phases__do_not_count_what_others_are_waited_for(void **state)
{
    (void)state;
    judo_comm *comm = NULL;
    judo_phases phases;
    assert_int_equal(judo_comm_self_create(&comm), JUDO_OK);
    const judo_comm_ops *before = comm->ops;
    judo_comm_ops slow = *before;
    slow.wait = slow_wait;
    comm->ops = &slow;
    double began = judo_clock();
    judo_phases_begin(&phases, comm);
    judo_phases_enter(&phases, 0, JUDO_PHASE_MODEL);
    assert_int_equal(judo_comm_wait(comm, 0), JUDO_OK);
    judo_phases_enter(&phases, 0, JUDO_PHASE_OTHER);
    double passed = judo_clock() - began;
    assert_true(passed >= 0.05);
    assert_true(phases.work[JUDO_PHASE_MODEL] <= passed - 0.05);
    comm->ops = before;
    judo_comm_destroy(&comm);
}

static void test_phases__count_work_and_name_the_communicators_phase(void **state)
{
    (void)state;
    judo_comm *comm = NULL;
    judo_phases phases;
    assert_int_equal(judo_comm_self_create(&comm), JUDO_OK);
    const judo_comm_ops *before = comm->ops;
    judo_phases_begin(&phases, comm);
    judo_phases_enter(&phases, 7, JUDO_PHASE_ROLLOUT);
    assert_string_equal(comm->phase, "step 7: rollout");
    (void)usleep(20000);
    assert_int_equal(judo_comm_barrier(comm), JUDO_OK);
    judo_phases_enter(&phases, 7, JUDO_PHASE_OPTIMIZER);
    assert_true(phases.work[JUDO_PHASE_ROLLOUT] >= 0.02);
    assert_ptr_equal(comm->ops, before);
    judo_comm_destroy(&comm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straggler__is_the_rank_with_most_work),
        cmocka_unit_test(test_straggler__of_two_ranks_is_compared_with_the_other),
        cmocka_unit_test(test_straggler__without_any_work_is_nobody),
        cmocka_unit_test(test_phases__do_not_count_what_others_are_waited_for),
        cmocka_unit_test(test_phases__count_work_and_name_the_communicators_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
