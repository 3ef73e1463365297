/* tests/data/test_loader.c: batches come in ticket order whatever the number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data/loader.h"

static judo_image_processor processor;

/* A batch of one sequence that holds its ticket; every seventh ticket fails. */
static judo_status build_ticket(void *context, int64_t ticket, judo_batch_builder *builder)
{
    (void)usleep((unsigned)((ticket * 37) % 5) * 200);
    if (context != NULL && ticket % 7 == 6) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "ticket %lld is torn", (long long)ticket);
    }
    const int32_t tokens[2] = {(int32_t)ticket, 1};
    return judo_batch_builder_add(builder, &(judo_sequence){tokens, 2, 1, 1, 0, NULL, NULL});
}

static judo_loader *open_loader(int threads, int slots, int held, int64_t first, int64_t end,
                                void *fails)
{
    judo_image_processor_defaults(&processor);
    assert_int_equal(judo_image_processor_prepare(&processor), JUDO_OK);
    const judo_loader_options options = {
        .processor = &processor,
        .build = build_ticket,
        .context = fails,
        .num_threads = threads,
        .num_slots = slots,
        .num_held = held,
        .first_ticket = first,
        .end_ticket = end,
    };
    judo_loader *loader = NULL;
    assert_int_equal(judo_loader_open(&options, &loader), JUDO_OK);
    return loader;
}

static void test_next__delivers_in_order_and_errors_at_their_ticket(void **state)
{
    (void)state;
    static const int threads[] = {0, 1, 2, 5};
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        int fails = 1;
        judo_loader *loader = open_loader(threads[i], 3, 0, 2, 40, &fails);
        for (int64_t ticket = 2; ticket < 40; ticket++) {
            judo_batch_builder *builder = NULL;
            judo_status status = judo_loader_next(loader, &builder);
            if (ticket % 7 == 6) {
                assert_int_equal(status, JUDO_ERROR_FORMAT);
                assert_non_null(strstr(judo_error_message(), "is torn"));
                continue;
            }
            assert_int_equal(status, JUDO_OK);
            judo_batch batch;
            assert_int_equal(judo_batch_builder_batch(builder, &batch), JUDO_OK);
            assert_int_equal(batch.num_tokens, 2);
            assert_int_equal(batch.tokens[0], ticket);
        }
        judo_batch_builder *builder = (judo_batch_builder *)&fails;
        assert_int_equal(judo_loader_next(loader, &builder), JUDO_OK);
        assert_null(builder);
        judo_loader_close(&loader);
    }
}

static void test_close__stops_threads_that_are_ahead(void **state)
{
    (void)state;
    for (int taken = 0; taken < 4; taken++) {
        judo_loader *loader = open_loader(3, 4, 1, 0, -1, NULL);
        judo_batch_builder *builder = NULL;
        for (int i = 0; i < taken; i++) {
            assert_int_equal(judo_loader_next(loader, &builder), JUDO_OK);
        }
        judo_loader_close(&loader);
        assert_null(loader);
        judo_loader_close(&loader);
    }
}

static void test_open__checks_its_options(void **state)
{
    (void)state;
    judo_loader *loader = NULL;
    judo_loader_options options = {.processor = &processor,
                                   .build = build_ticket,
                                   .num_threads = 1,
                                   .num_slots = 1,
                                   .end_ticket = -1};
    assert_int_equal(judo_loader_open(&options, &loader), JUDO_ERROR_ARGUMENT);
    options.num_slots = 4;
    options.num_held = 4; /* would leave no slot to build in */
    assert_int_equal(judo_loader_open(&options, &loader), JUDO_ERROR_ARGUMENT);
    assert_null(loader);
}

static void test_next__keeps_the_held_batches_valid(void **state)
{
    (void)state;
    for (int threads = 0; threads < 4; threads++) {
        judo_loader *loader = open_loader(threads, 6, 3, 0, 50, NULL);
        judo_batch_builder *held[50];
        for (int64_t ticket = 0; ticket < 50; ticket++) {
            assert_int_equal(judo_loader_next(loader, &held[ticket]), JUDO_OK);
            for (int64_t old = ticket < 2 ? 0 : ticket - 2; old <= ticket; old++) {
                judo_batch batch;
                assert_int_equal(judo_batch_builder_batch(held[old], &batch), JUDO_OK);
                assert_int_equal(batch.num_tokens, 2);
                assert_int_equal(batch.tokens[0], old);
            }
        }
        judo_loader_close(&loader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next__delivers_in_order_and_errors_at_their_ticket),
        cmocka_unit_test(test_close__stops_threads_that_are_ahead),
        cmocka_unit_test(test_open__checks_its_options),
        cmocka_unit_test(test_next__keeps_the_held_batches_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
