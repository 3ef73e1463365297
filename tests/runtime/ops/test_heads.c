/* tests/runtime/ops/test_heads.c: heads taken out of one product's rows, rotated, also into the
 * rows of a cache, and their gradients put together, against plain double loops. */
#include "tests/runtime/ops/support.h"

typedef struct sizes {
    int64_t tokens, query_heads, key_heads, dim;
} sizes;

/* Whole packs, a pair more, as many key heads as query heads, one pair, nothing at all. */
static const sizes cases[] = {{7, 4, 2, 128}, {6, 3, 1, 10}, {5, 16, 16, 80}, {3, 28, 4, 16},
                              {9, 2, 2, 82},  {1, 1, 1, 2},  {0, 4, 2, 16},   {4, 28, 4, 40}};

enum { NUM_CASES = sizeof cases / sizeof *cases };

typedef struct heads {
    sizes n;
    judo_tensor qkv, q, k, v, cosines, sines;
} heads;

static double angle_of(int64_t i)
{
    return 0.3 * (double)i;
}

/* k and v with `rows` rows. */
static heads new_heads(const sizes *n, int64_t rows)
{
    int64_t half = n->dim / 2;
    heads h = {.n = *n,
               .qkv = new_2d(n->tokens, (n->query_heads + 2 * n->key_heads) * n->dim),
               .q = new_3d(n->tokens, n->query_heads, n->dim),
               .k = new_3d(rows, n->key_heads, n->dim),
               .v = new_3d(rows, n->key_heads, n->dim),
               .cosines = new_2d(n->tokens, half),
               .sines = new_2d(n->tokens, half)};
    for (int64_t i = 0; i < n->tokens * half; i++) {
        values_of(&h.cosines)[i] = (float)cos(angle_of(i));
        values_of(&h.sines)[i] = (float)sin(angle_of(i));
    }
    fill(&h.qkv, 1, 1.0f);
    return h;
}

static void free_heads(heads *h)
{
    FREE(&h->qkv, &h->q, &h->k, &h->v, &h->cosines, &h->sines);
}

static judo_status split(heads *h, const int32_t *places)
{
    return JUDO_TEST_OPS->split_heads(&h->q, &h->k, &h->v, &h->qkv, &h->cosines, &h->sines,
                                      places);
}

/* One head of a token against the same head in its row, turned by sign times the angles. */
static void assert_turned(const float *got, const float *from, int64_t token, int64_t dim,
                          double sign)
{
    for (int64_t j = 0; j < dim / 2; j++) {
        double angle = sign * angle_of(token * (dim / 2) + j);
        double a = (double)from[j], b = (double)from[j + dim / 2];
        assert_stored((double)got[j], a * cos(angle) - b * sin(angle), 1e-6, 1, "first", j);
        assert_stored((double)got[j + dim / 2], b * cos(angle) + a * sin(angle), 1e-6, 1,
                      "second", j);
    }
}

static void check_token(const heads *h, int64_t token, int64_t row)
{
    const sizes *n = &h->n;
    const float *from =
        values_of(&h->qkv) + token * (n->query_heads + 2 * n->key_heads) * n->dim;
    const float *keys = from + n->query_heads * n->dim;
    const float *values = keys + n->key_heads * n->dim;
    for (int64_t i = 0; i < n->query_heads; i++) {
        assert_turned(values_of(&h->q) + (token * n->query_heads + i) * n->dim,
                      from + i * n->dim, token, n->dim, 1.0);
    }
    for (int64_t i = 0; i < n->key_heads; i++) {
        assert_turned(values_of(&h->k) + (row * n->key_heads + i) * n->dim, keys + i * n->dim,
                      token, n->dim, 1.0);
    }
    for (int64_t i = 0; i < n->key_heads * n->dim; i++) {
        assert_true(values_of(&h->v)[row * n->key_heads * n->dim + i] == values[i]);
    }
}

static void test_split__turns_queries_and_keys_and_copies_values(void **state)
{
    (void)state;
    for (int c = 0; c < NUM_CASES; c++) {
        heads h = new_heads(&cases[c], cases[c].tokens);
        assert_ok(split(&h, NULL));
        for (int64_t t = 0; t < cases[c].tokens; t++) {
            check_token(&h, t, t);
        }
        free_heads(&h);
    }
}

static void test_split__writes_the_rows_of_a_cache_and_no_others(void **state)
{
    (void)state;

    enum { ROWS = 23 };

    const int32_t places[] = {3, 22, 0, 7, 8, 21, 4, 11, 15};
    for (int c = 0; c < NUM_CASES; c++) {
        heads h = new_heads(&cases[c], ROWS);
        int64_t width = cases[c].key_heads * cases[c].dim;
        bool written[ROWS] = {false};
        fill_with(&h.k, 9.0f);
        fill_with(&h.v, 9.0f);
        assert_ok(split(&h, places));
        for (int64_t t = 0; t < cases[c].tokens; t++) {
            check_token(&h, t, places[t]);
            written[places[t]] = true;
        }
        for (int64_t i = 0; i < ROWS * width; i++) {
            assert_true(written[i / width] ||
                        (values_of(&h.k)[i] == 9.0f && values_of(&h.v)[i] == 9.0f));
        }
        free_heads(&h);
    }
}

/* The bits of a token do not depend on the others, nor on where its keys go. */
static void test_split__gives_a_token_the_same_bits_alone(void **state)
{
    (void)state;
    for (int c = 0; c < NUM_CASES; c++) {
        heads h = new_heads(&cases[c], cases[c].tokens);
        const sizes alone = {1, cases[c].query_heads, cases[c].key_heads, cases[c].dim};
        assert_ok(split(&h, NULL));
        for (int32_t t = 0; t < cases[c].tokens; t++) {
            const int32_t place = 2;
            heads one = new_heads(&alone, 3);
            judo_tensor row = rows_of(&h.qkv, t, 1), cosines = rows_of(&h.cosines, t, 1);
            judo_tensor sines = rows_of(&h.sines, t, 1), q = rows_of(&h.q, t, 1);
            judo_tensor k = rows_of(&h.k, t, 1), v = rows_of(&h.v, t, 1);
            judo_tensor own_k = rows_of(&one.k, place, 1), own_v = rows_of(&one.v, place, 1);
            assert_ok(JUDO_TEST_OPS->split_heads(&one.q, &one.k, &one.v, &row, &cosines, &sines,
                                                 &place));
            assert_same_bits(&one.q, &q, "q");
            assert_same_bits(&own_k, &k, "k");
            assert_same_bits(&own_v, &v, "v");
            free_heads(&one);
        }
        free_heads(&h);
    }
}

static void test_join__turns_gradients_back_into_one_row(void **state)
{
    (void)state;
    for (int c = 0; c < NUM_CASES; c++) {
        const sizes *n = &cases[c];
        heads h = new_heads(n, n->tokens);
        int64_t all = n->query_heads + 2 * n->key_heads;
        fill(&h.q, 2, 1.0f);
        fill(&h.k, 3, 1.0f);
        fill(&h.v, 4, 1.0f);
        assert_ok(JUDO_TEST_OPS->join_heads(&h.qkv, &h.q, &h.k, &h.v, &h.cosines, &h.sines));
        for (int64_t i = 0; i < n->tokens * all; i++) {
            int64_t token = i / all, head = i % all - n->query_heads;
            const float *got = values_of(&h.qkv) + i * n->dim;
            const float *from =
                head < 0 ? values_of(&h.q) + (token * n->query_heads + i % all) * n->dim
                : head < n->key_heads
                    ? values_of(&h.k) + (token * n->key_heads + head) * n->dim
                    : values_of(&h.v) + (token * n->key_heads + head - n->key_heads) * n->dim;
            if (head < n->key_heads) {
                assert_turned(got, from, token, n->dim, -1.0);
            } else {
                assert_memory_equal(got, from, (size_t)n->dim * sizeof *got);
            }
        }
        free_heads(&h);
    }
}

static void test_join__undoes_split(void **state)
{
    (void)state;
    heads h = new_heads(&cases[0], cases[0].tokens);
    judo_tensor again = new_copy(&h.qkv);
    assert_ok(split(&h, NULL));
    assert_ok(JUDO_TEST_OPS->join_heads(&again, &h.q, &h.k, &h.v, &h.cosines, &h.sines));
    for (int64_t i = 0; i < judo_tensor_count(&again); i++) {
        assert_near((double)values_of(&again)[i], (double)values_of(&h.qkv)[i],
                    BF16 ? 6e-3 : 1e-6, "qkv", i);
    }
    FREE(&again);
    free_heads(&h);
}

static void test_heads__of_other_shapes_are_refused(void **state)
{
    (void)state;
    const sizes n = {2, 2, 1, 6};
    const int32_t outside[][2] = {{0, 4}, {-1, 0}};
    heads h = new_heads(&n, 4);
    assert_int_equal(split(&h, NULL), JUDO_ERROR_INTERNAL); /* four rows for two tokens */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(split(&h, outside[i]), JUDO_ERROR_ARGUMENT);
    }
    assert_int_equal(JUDO_TEST_OPS->join_heads(&h.qkv, &h.q, &h.k, &h.v, &h.cosines, &h.sines),
                     JUDO_ERROR_INTERNAL);
    const int32_t places[] = {3, 1};
    judo_tensor whole = h.qkv;
    h.qkv.dims[1]--;
    assert_int_equal(split(&h, places), JUDO_ERROR_INTERNAL);
    h.qkv = whole;
    h.v.dims[0]--;
    assert_int_equal(split(&h, places), JUDO_ERROR_INTERNAL);
    h.v.dims[0]++;
    h.sines.dims[1]--;
    assert_int_equal(split(&h, places), JUDO_ERROR_INTERNAL);
    h.sines.dims[1]++;
    assert_ok(split(&h, places));
    free_heads(&h);
    const sizes odd = {2, 2, 1, 3};
    heads o = new_heads(&odd, 2);
    assert_int_equal(split(&o, NULL), JUDO_ERROR_INTERNAL);
    free_heads(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split__turns_queries_and_keys_and_copies_values),
        cmocka_unit_test(test_split__writes_the_rows_of_a_cache_and_no_others),
        cmocka_unit_test(test_split__gives_a_token_the_same_bits_alone),
        cmocka_unit_test(test_join__turns_gradients_back_into_one_row),
        cmocka_unit_test(test_join__undoes_split),
        cmocka_unit_test(test_heads__of_other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
