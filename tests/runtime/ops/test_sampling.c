/* tests/runtime/ops/test_sampling.c: filters against a plain sorted reference, and the draw. */
#include "tests/runtime/ops/support.h"

static const judo_sampling plain = {
    .temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f};

static judo_status sample_one(int32_t *token, float *logprob, const float *logits,
                              int64_t count, const judo_sampling *sampling, float uniform,
                              const uint8_t *seen, const uint8_t *banned)
{
    judo_tensor t = new_2d(1, count);
    memcpy(t.data, logits, (size_t)count * sizeof(float));
    judo_status status = JUDO_TEST_OPS->sample(token, logprob, &t, sampling, &uniform,
                                               seen ? &seen : NULL, banned, 1.0f);
    FREE(&t);
    return status;
}

/* Marks the ids that the filters leave, in the words of Hugging Face's processors. */
static void reference_filter(uint8_t *kept, double *z, int n, const judo_sampling *s)
{
    int order[64]; /* most likely first, ties by id */
    for (int i = 0; i < n; i++) {
        z[i] /= (double)s->temperature;
        int at = i;
        while (at > 0 && z[order[at - 1]] < z[i]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
        kept[i] = 1;
    }
    if (s->top_k > 0 && s->top_k < n) {
        for (int i = 0; i < n; i++) {
            kept[i] = z[i] >= z[order[s->top_k - 1]];
        }
    }
    double total = 0.0;
    for (int i = 0; i < n; i++) {
        total += kept[i] ? exp(z[i] - z[order[0]]) : 0.0;
    }
    double cumulative = 0.0;
    for (int i = n - 1; i > 0; i--) {
        if (kept[order[i]]) {
            cumulative += exp(z[order[i]] - z[order[0]]) / total;
            kept[order[i]] = cumulative > 1.0 - (double)s->top_p;
        }
    }
    for (int i = 0; i < n; i++) {
        kept[i] = kept[i] && exp(z[i] - z[order[0]]) >= (double)s->min_p;
    }
}

static void check_draws(const float *logits, int n, const judo_sampling *s)
{
    uint8_t kept[64];
    double z[64];
    for (int i = 0; i < n; i++) {
        z[i] = (double)logits[i];
    }
    reference_filter(kept, z, n, s);
    double total = 0.0;
    for (int i = 0; i < n; i++) {
        total += kept[i] ? exp(z[i]) : 0.0;
    }
    for (int step = 0; step < 200; step += ON_CPU ? 1 : 5) {
        float uniform = (float)step / 200.0f;
        double sum = 0.0;
        int expected = -1;
        double gap = 1.0;
        for (int i = 0; i < n; i++) {
            sum += kept[i] ? exp(z[i]) / total : 0.0;
            gap = fmin(gap, fabs(sum - (double)uniform));
            expected = expected < 0 && kept[i] && sum > (double)uniform ? i : expected;
        }
        int32_t token = -1;
        float logprob = 0.0f;
        assert_ok(sample_one(&token, &logprob, logits, n, s, uniform, NULL, NULL));
        assert_true(kept[token]);
        if (gap > 1e-6) { /* else rounding decides */
            assert_int_equal(token, expected);
        }
    }
}

static void test_filters__leave_what_the_reference_leaves(void **state)
{
    (void)state;
    const judo_sampling options[] = {
        {0.5f, 0, 1.0f, 0.0f, 1.0f},   {1.0f, 5, 1.0f, 0.0f, 1.0f},
        {1.3f, 0, 0.8f, 0.0f, 1.0f},   {1.0f, 0, 1.0f, 0.1f, 1.0f},
        {0.9f, 20, 0.9f, 0.05f, 1.0f}, {1.0f, 1, 1.0f, 0.0f, 1.0f},
        {1.0f, 0, 0.05f, 0.0f, 1.0f},  {1.0f, 99, 0.5f, 1.0f, 1.0f},
        {1.0f, 0, 0.0f, 0.0f, 1.0f},
    };
    for (uint32_t salt = 0; salt < 6; salt++) {
        judo_tensor logits = new_1d(salt % 2 ? 61 : 9);
        int n = (int)logits.dims[0];
        fill(&logits, salt, 4.0f);
        for (int i = 0; salt >= 4 && i < n; i++) { /* ties */
            values_of(&logits)[i] = floorf(values_of(&logits)[i]);
        }
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            if (salt >= 4 && options[o].top_p < 1.0f && options[o].top_p > 0.0f) {
                continue; /* at a tie the last bit of the sum may decide */
            }
            check_draws(values_of(&logits), n, &options[o]);
        }
        FREE(&logits);
    }
}

static void test_top_p__of_equal_ids_the_lower_stay(void **state)
{
    (void)state;
    const float logits[8] = {0};
    judo_sampling s = plain;
    s.top_p = 0.45f; /* 4 of 8 go (1/2 <= 0.55), a fifth would make 0.625 */
    for (int step = 0; step < 64; step++) {
        int32_t token = -1;
        float logprob = 0.0f;
        assert_ok(sample_one(&token, &logprob, logits, 8, &s, (float)step / 64.0f, NULL, NULL));
        assert_int_equal(token, step / 16);
        assert_near((double)logprob, -log(8.0), 1e-6, "logprob", step);
    }
}

static void test_greedy__takes_the_lowest_of_the_highest(void **state)
{
    (void)state;
    const float logits[5] = {-1.0f, 3.0f, 2.0f, 3.0f, -INFINITY};
    judo_sampling s = plain;
    s.temperature = 0.0f;
    int32_t token = -1;
    float logprob = 0.0f;
    assert_ok(sample_one(&token, &logprob, logits, 5, &s, 0.99f, NULL, NULL));
    assert_int_equal(token, 1);
    assert_near((double)logprob, -log(2.0 + exp(-1.0) + exp(-4.0)), 1e-6, "logprob", 0);
    const uint8_t banned[5] = {0, 1, 0, 1, 0};
    assert_ok(sample_one(&token, &logprob, logits, 5, &s, 0.99f, NULL, banned));
    assert_int_equal(token, 2);
    assert_near((double)logprob, -log(1.0 + exp(-3.0)), 1e-6, "logprob", 1);
}

static void test_penalty__divides_positive_and_multiplies_negative_logits(void **state)
{
    (void)state;
    const float logits[3] = {2.0f, 1.9f, -1.0f};
    const uint8_t seen[3] = {1, 0, 1};
    judo_sampling s = plain;
    s.temperature = 0.0f;
    s.repetition_penalty = 1.1f;
    int32_t token = -1;
    float logprob = 0.0f;
    assert_ok(sample_one(&token, &logprob, logits, 3, &s, 0.0f, seen, NULL));
    assert_int_equal(token, 1); /* 2 / 1.1 < 1.9 */
    const float negative[2] = {-1.0f, -1.05f};
    assert_ok(sample_one(&token, &logprob, negative, 2, &s, 0.0f, seen, NULL));
    assert_int_equal(token, 1); /* -1 x 1.1 < -1.05 */
    assert_near((double)logprob, -1.05 - log(exp(-1.0) + exp(-1.05)), 1e-6, "logprob", 0);
}

static void test_draw__frequencies_follow_probabilities(void **state)
{
    (void)state;

    enum { DRAWS = 4000, N = 4 };

    const double p[N] = {0.1, 0.2, 0.3, 0.4};
    judo_tensor logits = new_2d(DRAWS, N);
    int32_t tokens[DRAWS];
    float logprobs[DRAWS], uniform[DRAWS];
    for (int i = 0; i < DRAWS * N; i++) {
        values_of(&logits)[i] = (float)log(p[i % N]);
        uniform[i / N] = judo_random_uniform(3, JUDO_STREAM_TEST, (uint64_t)(i / N), 0, 0);
    }
    assert_ok(
        JUDO_TEST_OPS->sample(tokens, logprobs, &logits, &plain, uniform, NULL, NULL, 2.0f));
    int counts[N] = {0};
    double root_sum = sqrt(0.1) + sqrt(0.2) + sqrt(0.3) + sqrt(0.4);
    for (int i = 0; i < DRAWS; i++) {
        counts[tokens[i]]++;
        assert_near((double)logprobs[i], log(sqrt(p[tokens[i]]) / root_sum), 1e-6, "logprob",
                    i);
    }
    for (int j = 0; j < N; j++) {
        assert_near((double)counts[j] / DRAWS, p[j], 0.03, "frequency", j);
    }
    FREE(&logits);
}

/* What is drawn in generation has the log-probability of training to the last bit. */
static void test_logprob__is_the_bits_of_head_loss(void **state)
{
    (void)state;

    enum { M = 9, H = 16, V = 1100 };

    judo_tensor hidden = new_2d(M, H), w = new_2d(V, H), logits = new_2d(M, V);
    fill(&hidden, 1, 2.0f);
    fill(&w, 2, 1.0f);
    float uniform[M], drawn[M], trained[M];
    int32_t tokens[M];
    uint8_t banned[V] = {0};
    banned[17] = 1;
    for (int i = 0; i < M; i++) {
        uniform[i] = (float)i / M;
    }
    judo_sampling s = {0.9f, 50, 0.95f, 0.01f, 1.0f};
    assert_ok(JUDO_TEST_OPS->linear_forward(&logits, &hidden, &w, NULL));
    assert_ok(JUDO_TEST_OPS->sample(tokens, drawn, &logits, &s, uniform, NULL, banned, 0.9f));
    judo_token_loss spec = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 0.9f};
    judo_token_result result = {.logprobs = trained};
    assert_ok(
        JUDO_TEST_OPS->head_loss(&result, NULL, NULL, &hidden, &w, tokens, &spec, banned, 4));
    assert_memory_equal(drawn, trained, sizeof drawn);
    FREE(&hidden, &w, &logits);
}

static void test_errors__rows_that_allow_nothing_and_options_out_of_range(void **state)
{
    (void)state;
    const float infinite[2] = {-INFINITY, -INFINITY};
    const float broken[3] = {0.0f, NAN, 1.0f};
    const float fine[2] = {0.0f, 1.0f};
    const uint8_t all[2] = {1, 1};
    int32_t token = -1;
    float logprob = 0.0f;
    assert_int_equal(sample_one(&token, &logprob, infinite, 2, &plain, 0.0f, NULL, NULL),
                     JUDO_ERROR_NUMERIC);
    assert_int_equal(sample_one(&token, &logprob, broken, 3, &plain, 0.0f, NULL, NULL),
                     JUDO_ERROR_NUMERIC);
    assert_int_equal(sample_one(&token, &logprob, fine, 2, &plain, 0.0f, NULL, all),
                     JUDO_ERROR_NUMERIC);
    judo_sampling s = plain;
    s.top_p = 1.5f;
    assert_int_equal(sample_one(&token, &logprob, fine, 2, &s, 0.0f, NULL, NULL),
                     JUDO_ERROR_ARGUMENT);
    assert_int_equal(token, -1);
    judo_tensor none = new_2d(0, 5);
    assert_ok(JUDO_TEST_OPS->sample(NULL, NULL, &none, &plain, NULL, NULL, NULL, 1.0f));
    FREE(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters__leave_what_the_reference_leaves),
        cmocka_unit_test(test_top_p__of_equal_ids_the_lower_stay),
        cmocka_unit_test(test_greedy__takes_the_lowest_of_the_highest),
        cmocka_unit_test(test_penalty__divides_positive_and_multiplies_negative_logits),
        cmocka_unit_test(test_draw__frequencies_follow_probabilities),
        cmocka_unit_test(test_logprob__is_the_bits_of_head_loss),
        cmocka_unit_test(test_errors__rows_that_allow_nothing_and_options_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
