/* tests/parallel/test_run_lock.c: the second run on one folder is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parallel/run_lock.h"
#include "tests/parallel/mpi_main.h"

static void test_run_lock__refuses_a_second_holder_by_name(void **state)
{
    judo_comm *comm = process.comm;
    char folder[64] = "/tmp/judo-lock-XXXXXX";
    char path[128];
    char mine[64];
    judo_run_lock *first = NULL;
    judo_run_lock *second = NULL;
    (void)state;
    assert_true(comm->rank != 0 || mkdtemp(folder) != NULL);
    assert_ok(judo_comm_broadcast(comm, folder, sizeof folder, 0));
    assert_ok(judo_run_lock_take(comm, folder, &first));
    assert_int_equal(judo_run_lock_take(comm, folder, &second), JUDO_ERROR_ARGUMENT);
    (void)snprintf(mine, sizeof mine, "process %ld", (long)getpid());
    assert_non_null(strstr(judo_error_message(), comm->rank == 0 ? mine : "process "));
    assert_non_null(strstr(judo_error_message(), "host "));
    assert_null(second);
    judo_run_lock_release(&first);
    assert_null(first);
    assert_ok(judo_comm_barrier(comm));
    assert_ok(judo_run_lock_take(comm, folder, &second));
    judo_run_lock_release(&second);
    judo_run_lock_release(&second);
    (void)snprintf(path, sizeof path, "%s/run.lock", folder);
    assert_true(comm->rank != 0 || (unlink(path) == 0 && rmdir(folder) == 0));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_run_lock__refuses_a_second_holder_by_name),
};

JUDO_MPI_TEST_MAIN(tests)
