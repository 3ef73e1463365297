/* tests/runtime/ops/test_vector_math.c: functions over the whole range of floats. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/vector_math.h"

/* Distance from the true value in units of the last place of the nearest float. */
static double ulps_off(float got, double expected)
{
    float nearest = (float)expected;
    float next = nextafterf(nearest, INFINITY);
    double ulp = isinf(next) ? 0x1p104 : (double)next - (double)nearest;
    return fabs((double)got - expected) / ulp;
}

/* Every 1021st bit pattern: four million floats of both signs. */
static void test_exp__stays_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    double worst = 0.0;
    float worst_x = 0.0f;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 1021) {
        uint32_t word = (uint32_t)bits;
        float x;
        memcpy(&x, &word, sizeof x);
        float got = judo_exp(x);
        if (isnan(x)) {
            assert_true(isnan(got));
        } else if (x > 88.7228394f) {
            assert_true(isinf(got));
        } else {
            double off = ulps_off(got, exp((double)x));
            worst_x = off > worst ? x : worst_x;
            worst = off > worst ? off : worst;
        }
    }
    if (worst > 2.0) {
        fail_msg("exp(%.9g) is off by %.3f units", (double)worst_x, worst);
    }
    print_message("worst error %.3f units at %.9g\n", worst, (double)worst_x);
}

static void test_erf__stays_within_two_units_in_the_last_place(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 1021) {
        uint32_t word = (uint32_t)bits;
        float x;
        memcpy(&x, &word, sizeof x);
        float got = judo_vector_erf(judo_vector_all(x))[0];
        if (isnan(x)) {
            assert_true(isnan(got));
        } else if (fabs(erf((double)x)) > 0x1p-126 && ulps_off(got, erf((double)x)) > 2.0) {
            fail_msg("erf(%.9g) is %.9g", (double)x, (double)got);
        }
    }
}

static void test_exp__ends_of_the_range(void **state)
{
    (void)state;
    assert_true(judo_exp(0.0f) == 1.0f);
    assert_true(judo_exp(-0.0f) == 1.0f);
    assert_true(judo_exp(-INFINITY) == 0.0f);
    assert_true(judo_exp(-1000.0f) == 0.0f);
    assert_true(isinf(judo_exp(INFINITY)));
    assert_true(isfinite(judo_exp(88.7228317f)));
    assert_true(judo_exp(-103.0f) > 0.0f); /* subnormal */
}

static void test_sum__folds_all_lanes(void **state)
{
    (void)state;
    float x[JUDO_LANES];
    for (int i = 0; i < JUDO_LANES; i++) {
        x[i] = (float)(1 << i);
    }
    assert_true(judo_vector_sum(judo_vector_load(x, JUDO_LANES)) == 65535.0f);
    assert_true(judo_vector_sum(judo_vector_load(x, 3)) == 7.0f);
    assert_true(judo_vector_sum(judo_vector_load(x, 0)) == 0.0f);
}

/* Every 1021st bit pattern, NaNs and subnormal numbers among them, 16 at a time. */
static void test_bf16__stores_round_as_the_scalar_conversion(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += UINT64_C(1021) * JUDO_LANES) {
        float x[JUDO_LANES], rounded[JUDO_LANES];
        uint16_t halves[JUDO_LANES];
        for (int i = 0; i < JUDO_LANES; i++) {
            uint32_t word = (uint32_t)(bits + (uint64_t)i * 1021);
            memcpy(&x[i], &word, sizeof word);
        }
        judo_vector v = judo_vector_load(x, JUDO_LANES);
        judo_vector_store_bf16(halves, v, JUDO_LANES);
        judo_vector_store(rounded, judo_vector_round_bf16(v), JUDO_LANES);
        for (int i = 0; i < JUDO_LANES; i++) {
            assert_int_equal(halves[i], judo_f32_to_bf16(x[i]));
            float expected = judo_bf16_to_f32(halves[i]);
            assert_memory_equal(&rounded[i], &expected, sizeof expected);
        }
    }
}

static void test_bf16__every_number_is_read_back(void **state)
{
    (void)state;
    for (uint32_t first = 0; first < 65536; first += JUDO_LANES) {
        uint16_t in[JUDO_LANES], out[JUDO_LANES];
        for (uint32_t i = 0; i < JUDO_LANES; i++) {
            in[i] = (uint16_t)(first + i);
        }
        judo_vector_store_bf16(out, judo_vector_load_bf16(in, JUDO_LANES), JUDO_LANES);
        for (int i = 0; i < JUDO_LANES; i++) {
            bool nan = (in[i] & 0x7fff) > 0x7f80;
            assert_int_equal(out[i], nan ? in[i] | 0x40 : in[i]);
        }
    }
}

/* Memory of exactly the elements named: the sanitizers see a step outside. */
static void test_loads_and_stores__touch_only_the_first_elements(void **state)
{
    (void)state;
    for (int64_t count = 0; count <= JUDO_LANES; count++) {
        float *x = malloc((size_t)count * sizeof *x + (count == 0));
        uint16_t *halves = malloc((size_t)count * sizeof *halves + (count == 0));
        judo_vector_store(x, judo_vector_all(3.0f), count);
        judo_vector_store_bf16(halves, judo_vector_all(3.0f), count);
        judo_vector read = judo_vector_load(x, count);
        judo_vector widened = judo_vector_load_bf16(halves, count);
        for (int i = 0; i < JUDO_LANES; i++) {
            assert_true(read[i] == (i < count ? 3.0f : 0.0f));
            assert_true(widened[i] == (i < count ? 3.0f : 0.0f));
        }
        free(x);
        free(halves);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp__stays_within_two_units_in_the_last_place),
        cmocka_unit_test(test_erf__stays_within_two_units_in_the_last_place),
        cmocka_unit_test(test_exp__ends_of_the_range),
        cmocka_unit_test(test_sum__folds_all_lanes),
        cmocka_unit_test(test_bf16__stores_round_as_the_scalar_conversion),
        cmocka_unit_test(test_bf16__every_number_is_read_back),
        cmocka_unit_test(test_loads_and_stores__touch_only_the_first_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
