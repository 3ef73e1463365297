/* tests/runtime/ops/test_sampling.c: filters against a plain sorted reference, and the draw. */
#include "tests/runtime/ops/support.h"

static const judo_sampling plain = {
    .temperature = 1.0f, .top_p = 1.0f, .repetition_penalty = 1.0f};

/* Row b draws into place b. */
static judo_status sample_rows(judo_draw *draws, judo_tensor *logits,
                               const judo_sampling *sampling, const float *uniform,
                               uint8_t *seen, const uint8_t *banned, float logprob_temperature)
{
    int64_t count = logits->dims[0];
    judo_draw_row *rows = calloc((size_t)count + 1, sizeof *rows);
    assert_non_null(rows);
    for (int32_t b = 0; b < count; b++) {
        rows[b] = (judo_draw_row){.uniform = uniform[b], .place = b, .seen = b};
    }
    judo_draw_memory memory = {.draws = draws,
                               .num_draws = count,
                               .seen = seen,
                               .num_seen = seen ? count : 0,
                               .banned = banned};
    judo_status status =
        JUDO_TEST_OPS->sample(&memory, logits, rows, sampling, logprob_temperature);
    free(rows);
    return status;
}

static judo_status sample_one(judo_draw *drawn, const float *logits, int64_t count,
                              const judo_sampling *sampling, float uniform, const uint8_t *seen,
                              const uint8_t *banned)
{
    judo_tensor t = new_2d(1, count);
    uint8_t *marks = seen ? malloc((size_t)count) : NULL;
    if (marks) {
        memcpy(marks, seen, (size_t)count);
    }
    memcpy(t.data, logits, (size_t)count * sizeof(float));
    judo_status status = sample_rows(drawn, &t, sampling, &uniform, marks, banned, 1.0f);
    free(marks);
    FREE(&t);
    return status;
}

enum { MOST = 2500 };

/* Marks the ids that the filters leave, in the words of Hugging Face's processors. */
static void reference_filter(uint8_t *kept, double *z, int n, const judo_sampling *s)
{
    static int order[MOST]; /* most likely first, ties by id */
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

/* One in `stride` of 200 draws. */
static void check_draws(const float *logits, int n, const judo_sampling *s, int stride)
{
    static uint8_t kept[MOST];
    static double z[MOST];
    for (int i = 0; i < n; i++) {
        z[i] = (double)logits[i];
    }
    reference_filter(kept, z, n, s);
    double total = 0.0;
    for (int i = 0; i < n; i++) {
        total += kept[i] ? exp(z[i]) : 0.0;
    }
    for (int step = 0; step < 200; step += stride) {
        float uniform = (float)step / 200.0f;
        double sum = 0.0;
        int expected = -1;
        double gap = 1.0;
        for (int i = 0; i < n; i++) {
            sum += kept[i] ? exp(z[i]) / total : 0.0;
            gap = fmin(gap, fabs(sum - (double)uniform));
            expected = expected < 0 && kept[i] && sum > (double)uniform ? i : expected;
        }
        judo_draw drawn = {0};
        assert_ok(sample_one(&drawn, logits, n, s, uniform, NULL, NULL));
        assert_in_range(drawn.token, 0, n - 1);
        assert_true(kept[drawn.token]);
        if (gap > 1e-6) { /* else rounding decides */
            assert_int_equal(drawn.token, expected);
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
            check_draws(values_of(&logits), n, &options[o], ON_CPU ? 1 : 5);
        }
        FREE(&logits);
    }
}

/* Rows of which filters leave few, some or most ids, with and without ties. */
static void test_filters__of_wide_rows(void **state)
{
    (void)state;
    const judo_sampling options[] = {
        {1.0f, 50, 1.0f, 0.0f, 1.0f},  {0.8f, 50, 0.95f, 0.0f, 1.0f},
        {1.0f, 0, 0.9f, 0.0f, 1.0f},   {1.0f, 0, 0.0f, 0.0f, 1.0f},
        {1.0f, 700, 0.6f, 0.0f, 1.0f},
    };
    const float scales[] = {30.0f, 8.0f, 0.01f, 0.0f, 4.0f};
    for (uint32_t salt = 0; salt < 5; salt++) {
        bool ties = salt >= 3;
        judo_tensor logits = new_1d(MOST - (int64_t)salt * 250);
        int n = (int)logits.dims[0];
        fill(&logits, salt, scales[salt]);
        for (int i = 0; ties && i < n; i++) {
            values_of(&logits)[i] = floorf(values_of(&logits)[i]);
        }
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            if (!ties || options[o].top_p == 1.0f || options[o].top_p == 0.0f) {
                check_draws(values_of(&logits), n, &options[o], ON_CPU ? 1 : 41);
            }
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
        judo_draw drawn = {0};
        assert_ok(sample_one(&drawn, logits, 8, &s, (float)step / 64.0f, NULL, NULL));
        assert_int_equal(drawn.token, step / 16);
        assert_near((double)drawn.logprob, -log(8.0), 1e-6, "logprob", step);
    }
}

static void test_greedy__takes_the_lowest_of_the_highest(void **state)
{
    (void)state;
    const float logits[5] = {-1.0f, 3.0f, 2.0f, 3.0f, -INFINITY};
    judo_sampling s = plain;
    s.temperature = 0.0f;
    judo_draw drawn = {0};
    assert_ok(sample_one(&drawn, logits, 5, &s, 0.99f, NULL, NULL));
    assert_int_equal(drawn.token, 1);
    assert_near((double)drawn.logprob, -log(2.0 + exp(-1.0) + exp(-4.0)), 1e-6, "logprob", 0);
    const uint8_t banned[5] = {0, 1, 0, 1, 0};
    assert_ok(sample_one(&drawn, logits, 5, &s, 0.99f, NULL, banned));
    assert_int_equal(drawn.token, 2);
    assert_near((double)drawn.logprob, -log(1.0 + exp(-3.0)), 1e-6, "logprob", 1);
}

static void test_penalty__divides_positive_and_multiplies_negative_logits(void **state)
{
    (void)state;
    const float logits[3] = {2.0f, 1.9f, -1.0f};
    const uint8_t seen[3] = {1, 0, 1};
    judo_sampling s = plain;
    s.temperature = 0.0f;
    s.repetition_penalty = 1.1f;
    judo_draw drawn = {0};
    assert_ok(sample_one(&drawn, logits, 3, &s, 0.0f, seen, NULL));
    assert_int_equal(drawn.token, 1); /* 2 / 1.1 < 1.9 */
    const float negative[2] = {-1.0f, -1.05f};
    assert_ok(sample_one(&drawn, negative, 2, &s, 0.0f, seen, NULL));
    assert_int_equal(drawn.token, 1); /* -1 x 1.1 < -1.05 */
    assert_near((double)drawn.logprob, -1.05 - log(exp(-1.0) + exp(-1.05)), 1e-6, "logprob", 0);
}

static void test_draw__frequencies_follow_probabilities(void **state)
{
    (void)state;

    enum { MOST_DRAWS = 4000, N = 4 };

    const double p[N] = {0.1, 0.2, 0.3, 0.4};
    const int draws = ON_CPU ? (int)MOST_DRAWS : 1000;
    judo_tensor logits = new_2d(draws, N);
    judo_draw drawn[MOST_DRAWS];
    float uniform[MOST_DRAWS];
    for (int i = 0; i < draws * N; i++) {
        values_of(&logits)[i] = (float)log(p[i % N]);
        uniform[i / N] = judo_random_uniform(3, JUDO_STREAM_TEST, (uint64_t)(i / N), 0, 0);
    }
    assert_ok(sample_rows(drawn, &logits, &plain, uniform, NULL, NULL, 2.0f));
    int counts[N] = {0};
    double root_sum = sqrt(0.1) + sqrt(0.2) + sqrt(0.3) + sqrt(0.4);
    for (int i = 0; i < draws; i++) {
        assert_in_range(drawn[i].token, 0, N - 1);
        counts[drawn[i].token]++;
        assert_near((double)drawn[i].logprob, log(sqrt(p[drawn[i].token]) / root_sum), 1e-6,
                    "logprob", i);
    }
    for (int j = 0; j < N; j++) {
        assert_near((double)counts[j] / draws, p[j], 0.03, "frequency", j);
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
    judo_draw draws[M];
    float uniform[M], drawn[M], trained[M];
    int32_t tokens[M];
    uint8_t banned[V] = {0};
    banned[17] = 1;
    for (int i = 0; i < M; i++) {
        uniform[i] = (float)i / M;
    }
    judo_sampling s = {0.9f, 50, 0.95f, 0.01f, 1.0f};
    assert_ok(JUDO_TEST_OPS->linear_forward(&logits, &hidden, &w, NULL));
    assert_ok(sample_rows(draws, &logits, &s, uniform, NULL, banned, 0.9f));
    for (int i = 0; i < M; i++) {
        tokens[i] = draws[i].token;
        drawn[i] = draws[i].logprob;
    }
    judo_token_loss spec = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 0.9f};
    judo_token_result result = {.logprobs = trained};
    assert_ok(
        JUDO_TEST_OPS->head_loss(&result, NULL, NULL, &hidden, &w, tokens, &spec, banned, 4));
    assert_memory_equal(drawn, trained, sizeof drawn);
    FREE(&hidden, &w, &logits);
}

static void assert_nothing_drawn(const judo_draw *drawn)
{
    assert_int_equal(drawn->token, JUDO_NO_TOKEN);
    assert_true(isnan(drawn->logprob));
}

static void test_rows_that_allow_nothing__say_so_and_others_are_drawn(void **state)
{
    (void)state;
    const float infinite[2] = {-INFINITY, -INFINITY};
    const float broken[3] = {0.0f, NAN, 1.0f};
    const float fine[2] = {0.0f, 1.0f};
    const uint8_t all[2] = {1, 1};
    judo_draw drawn = {0};
    assert_ok(sample_one(&drawn, infinite, 2, &plain, 0.0f, NULL, NULL));
    assert_nothing_drawn(&drawn);
    drawn.token = 0;
    assert_ok(sample_one(&drawn, broken, 3, &plain, 0.0f, NULL, NULL));
    assert_nothing_drawn(&drawn);
    drawn.token = 0;
    assert_ok(sample_one(&drawn, fine, 2, &plain, 0.0f, NULL, all));
    assert_nothing_drawn(&drawn);
    judo_tensor logits = new_2d(3, 2);
    const float values[6] = {0.0f, 9.0f, NAN, 0.0f, 9.0f, 0.0f};
    const float uniform[3] = {0.5f, 0.5f, 0.5f};
    const uint8_t marked[6] = {0, 1, 0, 0, 1, 0};
    uint8_t seen[6] = {0};
    judo_draw draws[3] = {{0}};
    memcpy(logits.data, values, sizeof values);
    assert_ok(sample_rows(draws, &logits, &plain, uniform, seen, NULL, 1.0f));
    assert_int_equal(draws[0].token, 1);
    assert_nothing_drawn(&draws[1]);
    assert_int_equal(draws[2].token, 0);
    assert_memory_equal(seen, marked, sizeof seen);
    FREE(&logits);
}

/* Rows leave a batch: places and marks follow the row, not its order. */
static void test_draws__go_to_the_rows_places_and_marks(void **state)
{
    (void)state;

    enum { PLACES = 7, MARKED = 4, N = 5 };

    judo_tensor logits = new_2d(3, N);
    judo_draw draws[PLACES];
    uint8_t seen[MARKED * N] = {0};
    const judo_draw_row rows[3] = {
        {.place = 6, .seen = 0}, {.place = 1, .seen = 3}, {.place = 4, .seen = 1}};
    const int32_t expected[PLACES] = {-9, 3, -9, -9, 4, -9, 2};
    judo_sampling s = plain;
    s.temperature = 0.0f;
    s.repetition_penalty = 4.0f;
    for (int i = 0; i < 3; i++) { /* the second best where the best was seen */
        values_of(&logits)[i * N + 2 + i] = 2.0f;
        values_of(&logits)[i * N + (i + 3) % N] = 1.0f;
    }
    for (int i = 0; i < PLACES; i++) {
        draws[i] = (judo_draw){.token = -9, .logprob = 0.25f};
    }
    seen[2 * N + 1] = 1; /* nobody's */
    judo_draw_memory memory = {
        .draws = draws, .num_draws = PLACES, .seen = seen, .num_seen = MARKED};
    judo_tensor first = new_copy(&logits);
    assert_ok(JUDO_TEST_OPS->sample(&memory, &first, rows, &s, 1.0f));
    for (int i = 0; i < PLACES; i++) {
        assert_int_equal(draws[i].token, expected[i]);
        assert_true((draws[i].logprob == 0.25f) == (expected[i] < 0));
    }
    /* The same logits again: what was drawn is marked, and counts a quarter. */
    assert_ok(JUDO_TEST_OPS->sample(&memory, &logits, rows, &s, 1.0f));
    assert_int_equal(draws[6].token, 3);
    assert_int_equal(draws[1].token, 4);
    assert_int_equal(draws[4].token, 0);
    uint8_t wanted[MARKED * N] = {0};
    wanted[0 * N + 2] = wanted[0 * N + 3] = 1;
    wanted[3 * N + 3] = wanted[3 * N + 4] = 1;
    wanted[1 * N + 4] = wanted[1 * N + 0] = 1;
    wanted[2 * N + 1] = 1;
    assert_memory_equal(seen, wanted, sizeof seen);
    FREE(&logits, &first);
}

static void test_errors__options_and_places_out_of_range(void **state)
{
    (void)state;
    const float fine[2] = {0.0f, 1.0f};
    judo_draw drawn = {.token = -9};
    judo_sampling s = plain;
    s.top_p = 1.5f;
    assert_int_equal(sample_one(&drawn, fine, 2, &s, 0.0f, NULL, NULL), JUDO_ERROR_ARGUMENT);
    judo_tensor logits = new_2d(1, 2), none = new_2d(0, 5);
    uint8_t seen[5] = {0}; /* of a row of either tensor */
    judo_draw_memory memory = {.draws = &drawn, .num_draws = 1};
    judo_draw_row row = {.place = 1};
    assert_int_equal(JUDO_TEST_OPS->sample(&memory, &logits, &row, &plain, 1.0f),
                     JUDO_ERROR_INTERNAL);
    row.place = -1;
    assert_int_equal(JUDO_TEST_OPS->sample(&memory, &logits, &row, &plain, 1.0f),
                     JUDO_ERROR_INTERNAL);
    row = (judo_draw_row){.place = 0, .seen = 1};
    memory.seen = seen;
    memory.num_seen = 1;
    assert_int_equal(JUDO_TEST_OPS->sample(&memory, &logits, &row, &plain, 1.0f),
                     JUDO_ERROR_INTERNAL);
    assert_int_equal(drawn.token, -9);
    assert_ok(JUDO_TEST_OPS->sample(&memory, &none, NULL, &plain, 1.0f));
    FREE(&logits, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters__leave_what_the_reference_leaves),
        cmocka_unit_test(test_filters__of_wide_rows),
        cmocka_unit_test(test_top_p__of_equal_ids_the_lower_stay),
        cmocka_unit_test(test_greedy__takes_the_lowest_of_the_highest),
        cmocka_unit_test(test_penalty__divides_positive_and_multiplies_negative_logits),
        cmocka_unit_test(test_draw__frequencies_follow_probabilities),
        cmocka_unit_test(test_logprob__is_the_bits_of_head_loss),
        cmocka_unit_test(test_rows_that_allow_nothing__say_so_and_others_are_drawn),
        cmocka_unit_test(test_draws__go_to_the_rows_places_and_marks),
        cmocka_unit_test(test_errors__options_and_places_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
