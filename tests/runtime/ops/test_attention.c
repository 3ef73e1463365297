/* tests/runtime/ops/test_attention.c: attention against plain double loops; decode against it.
 */
#include "tests/runtime/ops/support.h"

/* One case: sizes and spans. */
typedef struct attention_case {
    int64_t tokens, query_heads, key_heads, dim;
    int num_spans;
    judo_attention_span spans[6];
} attention_case;

/* The group of completions: as in Qwen2.5-VL-7B, or a part of it. */
enum { KEY_HEADS = ON_CPU ? 2 : 1, QUERY_HEADS = 7 * KEY_HEADS };

static const attention_case cases[] = {
    {5, 1, 1, 3, 1, {{0, 5, 0, 0, true}}},
    {130, 4, 2, 16, 1, {{0, 130, 0, 0, true}}},
    {70, 2, 2, 40, 1, {{0, 70, 0, 0, false}}},
    /* windows, not causal, of unequal sizes, listed out of order; and an empty span */
    {100, 3, 1, 80, 4, {{64, 100, 0, 0, false}, {0, 64, 0, 0, false}, {9, 9, 0, 0, true}}},
    /* a group of completions on one prompt */
    {300,
     QUERY_HEADS,
     KEY_HEADS,
     64,
     4,
     {{0, 131, 0, 0, true},
      {131, 200, 0, 131, true},
      {200, 201, 0, 131, true},
      {201, 300, 0, 131, true}}},
    /* prefix behind the queries, and one that skips tokens */
    {40, 2, 1, 24, 3, {{0, 7, 20, 40, false}, {7, 20, 2, 5, true}, {20, 40, 0, 0, true}}},
    {0, 2, 1, 8, 0, {{0, 0, 0, 0, false}}},
    /* the other head dimensions of models, and more than the tiles of a GPU take */
    {70, 4, 2, 128, 2, {{0, 66, 0, 0, true}, {66, 70, 3, 66, true}}},
    {67, 2, 2, 96, 2, {{0, 2, 0, 0, false}, {2, 67, 0, 0, false}}},
    /* as many heads to a key head as there may be */
    {9, 64, 1, 8, 2, {{0, 4, 0, 0, true}, {4, 9, 1, 3, true}}},
    {19, 3, 1, 160, 2, {{0, 9, 0, 0, true}, {9, 19, 0, 9, true}}},
};

typedef struct attention_data {
    judo_tensor q, k, v, out, lse;
    float scale;
} attention_data;

static attention_data new_data(const attention_case *c)
{
    attention_data d = {.scale = 1.0f / sqrtf((float)c->dim)};
    d.q = new_3d(c->tokens, c->query_heads, c->dim);
    d.k = new_3d(c->tokens, c->key_heads, c->dim);
    d.v = new_3d(c->tokens, c->key_heads, c->dim);
    d.out = new_3d(c->tokens, c->query_heads, c->dim);
    d.lse = new_2d(c->tokens, c->query_heads);
    fill(&d.q, 1, 3.0f);
    fill(&d.k, 2, 2.0f);
    fill(&d.v, 3, 1.0f);
    return d;
}

static void free_data(attention_data *d)
{
    FREE(&d->q, &d->k, &d->v, &d->out, &d->lse);
}

static bool sees(const attention_case *c, int64_t query, int64_t key)
{
    for (int i = 0; i < c->num_spans; i++) {
        const judo_attention_span *s = &c->spans[i];
        if (query >= s->begin && query < s->end) {
            bool own = key >= s->begin && key < s->end && (!s->causal || key <= query);
            return own || (key >= s->prefix_begin && key < s->prefix_end);
        }
    }
    return false;
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* probabilities[tokens] of one query head; returns the log of the sum. */
static double reference_row(double *probabilities, const attention_case *c,
                            const attention_data *d, int64_t query, int64_t head)
{
    int64_t key_head = head / (c->query_heads / c->key_heads);
    const float *q = values_of(&d->q) + (query * c->query_heads + head) * c->dim;
    double max = -INFINITY;
    for (int64_t t = 0; t < c->tokens; t++) {
        const float *k = values_of(&d->k) + (t * c->key_heads + key_head) * c->dim;
        probabilities[t] = sees(c, query, t) ? dot(q, k, c->dim) * (double)d->scale : -INFINITY;
        max = fmax(max, probabilities[t]);
    }
    double sum = 0.0;
    for (int64_t t = 0; t < c->tokens; t++) {
        sum += exp(probabilities[t] - max);
    }
    for (int64_t t = 0; t < c->tokens; t++) {
        probabilities[t] = exp(probabilities[t] - max) / sum;
    }
    return max + log(sum);
}

static void check_forward(const attention_case *c)
{
    attention_data d = new_data(c);
    assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, c->spans,
                                               c->num_spans, d.scale));
    double *p = calloc((size_t)c->tokens + 1, sizeof *p);
    for (int64_t row = 0; row < c->tokens * c->query_heads; row++) {
        int64_t head = row % c->query_heads;
        int64_t key_head = head / (c->query_heads / c->key_heads);
        double lse = reference_row(p, c, &d, row / c->query_heads, head);
        assert_near((double)values_of(&d.lse)[row], lse, 2e-6, "lse", row);
        for (int64_t e = 0; e < c->dim; e++) {
            double expected = 0.0;
            for (int64_t t = 0; t < c->tokens; t++) {
                expected +=
                    p[t] * (double)values_of(&d.v)[(t * c->key_heads + key_head) * c->dim + e];
            }
            /* In bf16 weights are rounded before they multiply values of up to 1. */
            assert_stored((double)values_of(&d.out)[row * c->dim + e], expected,
                          BF16 ? 2e-3 : 2e-6, 1, "out", row * c->dim + e);
        }
    }
    free(p);
    free_data(&d);
}

static void test_forward__matches_plain_loops(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_forward(&cases[i]);
    }
}

typedef struct gradient_sums {
    double *dq, *dk, *dv;
} gradient_sums;

static void reference_backward_row(gradient_sums *g, double *p, const attention_case *c,
                                   const attention_data *d, const float *dout, int64_t row)
{
    int64_t head = row % c->query_heads;
    int64_t key_head = head / (c->query_heads / c->key_heads);
    reference_row(p, c, d, row / c->query_heads, head);
    double mean = 0.0;
    for (int64_t t = 0; t < c->tokens; t++) {
        int64_t at = (t * c->key_heads + key_head) * c->dim;
        mean += p[t] * dot(dout + row * c->dim, values_of(&d->v) + at, c->dim);
    }
    for (int64_t t = 0; t < c->tokens; t++) {
        int64_t at = (t * c->key_heads + key_head) * c->dim;
        double slope = dot(dout + row * c->dim, values_of(&d->v) + at, c->dim);
        double ds = p[t] * (slope - mean) * (double)d->scale;
        for (int64_t e = 0; e < c->dim; e++) {
            g->dv[at + e] += p[t] * (double)dout[row * c->dim + e];
            g->dk[at + e] += ds * (double)values_of(&d->q)[row * c->dim + e];
            g->dq[row * c->dim + e] += ds * (double)values_of(&d->k)[at + e];
        }
    }
}

static void check_backward(const attention_case *c)
{
    attention_data d = new_data(c);
    assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, c->spans,
                                               c->num_spans, d.scale));
    judo_tensor dout = new_copy(&d.out);
    fill(&dout, 4, 1.0f);
    judo_tensor dq = new_copy(&d.q); /* not zero: the op overwrites */
    judo_tensor dk = new_copy(&d.k);
    judo_tensor dv = new_copy(&d.v);
    assert_ok(JUDO_TEST_OPS->attention_backward(&dq, &dk, &dv, &dout, &d.q, &d.k, &d.v, &d.out,
                                                &d.lse, c->spans, c->num_spans, d.scale));
    size_t queries = (size_t)judo_tensor_count(&d.q);
    size_t keys = (size_t)judo_tensor_count(&d.k);
    double *p = calloc((size_t)c->tokens + 1, sizeof *p);
    gradient_sums g = {calloc(queries + 1, sizeof(double)), calloc(keys + 1, sizeof(double)),
                       calloc(keys + 1, sizeof(double))};
    for (int64_t row = 0; row < c->tokens * c->query_heads; row++) {
        reference_backward_row(&g, p, c, &d, values_of(&dout), row);
    }
    /* In bf16 what multiplies is rounded, as is `out` before it comes back. */
    double tolerance = BF16 ? 1e-2 : 1e-5;
    for (size_t i = 0; i < queries; i++) {
        assert_stored((double)values_of(&dq)[i], g.dq[i], tolerance, 1, "dq", (int64_t)i);
    }
    for (size_t i = 0; i < keys; i++) {
        assert_stored((double)values_of(&dk)[i], g.dk[i], tolerance, 1, "dk", (int64_t)i);
        assert_stored((double)values_of(&dv)[i], g.dv[i], tolerance, 1, "dv", (int64_t)i);
    }
    free(p);
    free(g.dq);
    free(g.dk);
    free(g.dv);
    FREE(&dout, &dq, &dk, &dv);
    free_data(&d);
}

static void test_backward__matches_plain_loops(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_backward(&cases[i]);
    }
}

/* The bits of forward; or, where decode cuts runs of keys in parts, its number: weights from 0
 * to 1, relative to another maximum, are rounded to bf16 before they multiply values of up to
 * 1, so that either result is off by up to 2^-9, and then rounded when stored. */
static void assert_as_forward(const judo_tensor *decoded, const judo_tensor *out)
{
    if (rows_are_invariant() || !BF16) {
        assert_same_bits(decoded, out, "decoded");
        return;
    }
    for (int64_t i = 0; i < judo_tensor_count(out); i++) {
        assert_stored((double)values_of(decoded)[i], (double)values_of(out)[i], 4e-3, 2,
                      "decoded", i);
    }
}

/* Every query of a case, decoded as a batch of rows and, with the same bits, one by one. */
static void check_decode(const attention_case *c)
{
    attention_data d = new_data(c);
    assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, c->spans,
                                               c->num_spans, d.scale));
    judo_decode_row *rows = calloc((size_t)c->tokens, sizeof *rows);
    int64_t stride = c->key_heads * c->dim;
    for (int i = 0; i < c->num_spans; i++) {
        const judo_attention_span *s = &c->spans[i];
        for (int32_t t = s->begin; t < s->end; t++) {
            rows[t] = (judo_decode_row){values_of(&d.k) + s->prefix_begin * stride,
                                        values_of(&d.v) + s->prefix_begin * stride,
                                        s->prefix_end - s->prefix_begin,
                                        values_of(&d.k) + s->begin * stride,
                                        values_of(&d.v) + s->begin * stride,
                                        t + 1 - s->begin};
        }
    }
    judo_tensor decoded = new_copy(&d.q);
    assert_ok(
        JUDO_TEST_OPS->attention_decode(&decoded, &d.q, rows, (int)c->key_heads, d.scale));
    assert_as_forward(&decoded, &d.out);
    judo_tensor together = new_copy(&decoded);
    for (int64_t t = 0; t < c->tokens; t += 17) {
        judo_tensor out = rows_of(&decoded, t, 1);
        judo_tensor q = rows_of(&d.q, t, 1);
        fill_with(&out, 9.0f);
        assert_ok(
            JUDO_TEST_OPS->attention_decode(&out, &q, rows + t, (int)c->key_heads, d.scale));
    }
    assert_same_bits(&decoded, &together, "decoded one by one");
    free(rows);
    FREE(&decoded, &together);
    free_data(&d);
}

static void test_decode__gives_what_forward_gives(void **state)
{
    (void)state;
    check_decode(&cases[1]);
    check_decode(&cases[4]); /* a prompt with completions */
    check_decode(&cases[7]);
    check_decode(&cases[9]);
}

static void test_decode__a_row_without_keys_is_zero(void **state)
{
    (void)state;
    judo_tensor q = new_3d(2, 2, 5);
    judo_tensor keys = new_2d(1, 5);
    judo_tensor out = new_3d(2, 2, 5);
    fill(&q, 1, 1.0f);
    fill_with(&out, 3.0f);
    fill_with(&keys, 2.0f);
    judo_decode_row rows[2] = {
        {0}, {.own_keys = keys.data, .own_values = keys.data, .own_length = 1}};
    assert_ok(JUDO_TEST_OPS->attention_decode(&out, &q, rows, 1, 1.0f));
    for (int i = 0; i < 10; i++) {
        assert_true(values_of(&out)[i] == 0.0f);
        assert_true(values_of(&out)[10 + i] == 2.0f);
    }
    judo_tensor none = rows_of(&q, 0, 0);
    judo_tensor none_out = rows_of(&out, 0, 0);
    assert_ok(JUDO_TEST_OPS->attention_decode(&none_out, &none, rows, 1, 1.0f));
    FREE(&q, &keys, &out);
}

/* A span's result does not depend on the other spans of the batch. */
static void test_forward__a_sequence_alone_gives_the_same_bits(void **state)
{
    (void)state;
    attention_case packed = {150, 4, 2, 32, 2, {{0, 67, 0, 0, true}, {67, 150, 0, 0, true}}};
    attention_case alone = {83, 4, 2, 32, 1, {{0, 83, 0, 0, true}}};
    attention_data d = new_data(&packed);
    assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, packed.spans,
                                               2, d.scale));
    judo_tensor q = rows_of(&d.q, 67, 83);
    judo_tensor k = rows_of(&d.k, 67, 83);
    judo_tensor v = rows_of(&d.v, 67, 83);
    judo_tensor out = new_copy(&q);
    judo_tensor lse = new_2d(83, 4);
    assert_ok(
        JUDO_TEST_OPS->attention_forward(&out, &lse, &q, &k, &v, alone.spans, 1, d.scale));
    judo_tensor expected = rows_of(&d.out, 67, 83);
    assert_same_bits(&out, &expected, "out");
    FREE(&out, &lse);
    free_data(&d);
}

/* A later token that is not a number must not reach an earlier one. */
static void test_forward__a_causal_query_never_touches_later_tokens(void **state)
{
    (void)state;
    const attention_case *c = &cases[1];
    attention_data d = new_data(c);
    judo_tensor k = rows_of(&d.k, 77, 1);
    judo_tensor v = rows_of(&d.v, 77, 1);
    fill_with(&k, NAN);
    fill_with(&v, NAN);
    assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, c->spans,
                                               c->num_spans, d.scale));
    for (int64_t i = 0; i < c->tokens * c->query_heads * c->dim; i++) {
        bool later = i / (c->query_heads * c->dim) >= 77;
        assert_int_equal(isnan(values_of(&d.out)[i]) != 0, later);
    }
    free_data(&d);
}

static void test_spans__holes_overlaps_and_ranges_outside_are_errors(void **state)
{
    (void)state;
    const judo_attention_span bad[][2] = {
        {{0, 4, 0, 0, true}, {5, 9, 0, 0, true}},  {{0, 5, 0, 0, true}, {4, 9, 0, 0, true}},
        {{0, 4, 0, 0, true}, {4, 10, 0, 0, true}}, {{0, 4, 0, 0, true}, {4, 9, 3, 5, true}},
        {{0, 4, 0, 0, true}, {4, 9, -1, 3, true}}, {{0, 4, 8, 10, true}, {4, 9, 0, 0, true}},
        {{0, 9, 0, 0, true}, {6, 3, 0, 0, true}},
    };
    attention_case c = {9, 2, 1, 8, 2, {{0, 0, 0, 0, false}}};
    attention_data d = new_data(&c);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v,
                                                          bad[i], 2, d.scale),
                         JUDO_ERROR_ARGUMENT);
    }
    free_data(&d);
}

static void test_threads__do_not_change_bits(void **state)
{
    (void)state;
    const attention_case *c = &cases[4];
    attention_data d = new_data(c);
    judo_tensor out = new_copy(&d.q);
    judo_tensor first[3] = {new_copy(&d.q), new_copy(&d.k), new_copy(&d.v)};
    judo_tensor again[3] = {new_copy(&d.q), new_copy(&d.k), new_copy(&d.v)};
    int before = judo_ops_cpu_threads();
    for (int threads = 1; threads <= thread_counts(3); threads++) {
        judo_tensor *g = threads == 1 ? first : again;
        judo_ops_cpu_set_threads(threads);
        assert_ok(JUDO_TEST_OPS->attention_forward(&d.out, &d.lse, &d.q, &d.k, &d.v, c->spans,
                                                   c->num_spans, d.scale));
        assert_ok(JUDO_TEST_OPS->attention_backward(&g[0], &g[1], &g[2], &d.q, &d.q, &d.k, &d.v,
                                                    &d.out, &d.lse, c->spans, c->num_spans,
                                                    d.scale));
        if (threads == 1) {
            memcpy(out.data, d.out.data, (size_t)judo_tensor_count(&out) * sizeof(float));
            continue;
        }
        assert_same_bits(&out, &d.out, "out");
        for (int i = 0; i < 3; i++) {
            assert_same_bits(&first[i], &again[i], "gradient");
        }
    }
    judo_ops_cpu_set_threads(before);
    FREE(&out, &first[0], &first[1], &first[2], &again[0], &again[1], &again[2]);
    free_data(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward__matches_plain_loops),
        cmocka_unit_test(test_backward__matches_plain_loops),
        cmocka_unit_test(test_decode__gives_what_forward_gives),
        cmocka_unit_test(test_decode__a_row_without_keys_is_zero),
        cmocka_unit_test(test_forward__a_sequence_alone_gives_the_same_bits),
        cmocka_unit_test(test_forward__a_causal_query_never_touches_later_tokens),
        cmocka_unit_test(test_spans__holes_overlaps_and_ranges_outside_are_errors),
        cmocka_unit_test(test_threads__do_not_change_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
