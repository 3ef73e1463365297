/* tests/runtime/test_random.c: Philox 4x32-10 against the known answers of Random123. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/random.h"

/* kat_vectors: "philox4x32 10", four counter words, two key words, four results. */
static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
     0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
     0x94fdcceb, 0x5001e420, 0x24126ea1},
};

static void test_words__match_the_known_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const uint32_t *k = known[i];
        uint32_t words[4];
        uint64_t counter = (uint64_t)k[1] << 32 | k[0];
        /* The stream is mixed into the upper key word: taken out of the seed beforehand. */
        uint32_t upper = k[5] ^ ((uint32_t)JUDO_STREAM_TEST << 24);
        judo_random_words((uint64_t)upper << 32 | k[4], JUDO_STREAM_TEST, counter, k[2], k[3],
                          words);
        assert_memory_equal(words, k + 6, sizeof words);
    }
}

static void test_words__every_argument_matters(void **state)
{
    (void)state;
    uint32_t base = 0;
    uint32_t words[6][4];
    judo_random_words(1, JUDO_STREAM_INIT, 2, 3, 4, words[0]);
    judo_random_words(2, JUDO_STREAM_INIT, 2, 3, 4, words[1]);
    judo_random_words(1, JUDO_STREAM_ORDER, 2, 3, 4, words[2]);
    judo_random_words(1, JUDO_STREAM_INIT, 3, 3, 4, words[3]);
    judo_random_words(1, JUDO_STREAM_INIT, 2, 4, 4, words[4]);
    judo_random_words(1, JUDO_STREAM_INIT, 2, 3, 5, words[5]);
    base = words[0][0];
    for (int i = 1; i < 6; i++) {
        assert_int_not_equal(words[i][0], base);
    }
}

static void test_uniform__fills_the_interval_evenly(void **state)
{
    (void)state;
    int counts[10] = {0};
    double sum = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        float u = judo_random_uniform(7, JUDO_STREAM_TEST, i, 0, 0);
        assert_true(u >= 0.0f && u < 1.0f);
        counts[(int)(u * 10.0f)]++;
        sum += (double)u;
    }
    assert_true(sum / 1e5 > 0.495 && sum / 1e5 < 0.505);
    for (int i = 0; i < 10; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
}

static void test_below__stays_below_and_reaches_all(void **state)
{
    (void)state;
    int counts[7] = {0};
    for (uint32_t i = 0; i < 7000; i++) {
        uint32_t n = judo_random_below(7, JUDO_STREAM_TEST, i, 1, 2, 7);
        assert_true(n < 7);
        counts[n]++;
        assert_int_equal(judo_random_below(7, JUDO_STREAM_TEST, i, 1, 2, 1), 0);
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 850, 1150);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words__match_the_known_answers),
        cmocka_unit_test(test_words__every_argument_matters),
        cmocka_unit_test(test_uniform__fills_the_interval_evenly),
        cmocka_unit_test(test_below__stays_below_and_reaches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
