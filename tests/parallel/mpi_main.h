/* tests/parallel/mpi_main.h: main() of a test that runs on any number of ranks. Defines it from
 * `tests`, an array of cmocka tests; `process` is what they use. */
#ifndef JUDO_TESTS_PARALLEL_MPI_MAIN_H
#define JUDO_TESTS_PARALLEL_MPI_MAIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parallel/process.h"

static judo_process process;

#define assert_ok(expression)                                                                  \
    do {                                                                                       \
        judo_status assert_ok_status_ = (expression);                                          \
        if (assert_ok_status_ != JUDO_OK) {                                                    \
            print_error("%s: %s\n", #expression, judo_error_message());                        \
        }                                                                                      \
        assert_int_equal(assert_ok_status_, JUDO_OK);                                          \
    } while (0)

/* A rank whose assertion failed leaves the others waiting: they give up soon. */
#define JUDO_MPI_TEST_MAIN(tests)                                                              \
    int main(void)                                                                             \
    {                                                                                          \
        judo_status status = judo_process_begin(&process, JUDO_LOG_WARNING);                   \
        if (status == JUDO_OK) {                                                               \
            judo_comm_set_deadline(process.comm, 20);                                          \
            int failed = cmocka_run_group_tests(tests, NULL, NULL);                            \
            status =                                                                           \
                failed ? JUDO_FAIL(JUDO_ERROR_INTERNAL, "%d tests failed", failed) : JUDO_OK;  \
        }                                                                                      \
        return judo_process_end(&process, status);                                             \
    }

#endif
