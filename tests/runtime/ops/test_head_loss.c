/* tests/runtime/ops/test_head_loss.c: the fused head against plain double loops. */
#include "tests/runtime/ops/support.h"

enum { M = 23, H = 12, V = 701 };

typedef struct head_data {
    judo_tensor hidden, w, dhidden, dw;
    int32_t targets[M];
    float weights[M], advantages[M], old[M], reference[M], logprobs[M], entropies[M];
    uint8_t banned[V];
} head_data;

static void open_data(head_data *d)
{
    memset(d, 0, sizeof *d);
    d->hidden = new_2d(M, H);
    d->w = new_2d(V, H);
    d->dhidden = new_2d(M, H);
    d->dw = new_2d(V, H);
    fill(&d->hidden, 1, 2.0f);
    fill(&d->w, 2, 1.0f);
    fill_with(&d->dhidden, 7.0f);
    for (int i = 0; i < M; i++) {
        d->targets[i] = (i * 37 + 5) % V;
        d->weights[i] = (float)(i % 4) * 0.5f; /* every fourth is 0 */
        d->advantages[i] = (float)(i % 5) - 2.0f;
    }
    for (int j = 0; j < V; j += 6) {
        d->banned[j] = j > 0;
    }
    for (int i = 0; i < M; i++) {
        d->targets[i] += d->banned[d->targets[i]];
    }
}

static void close_data(head_data *d)
{
    FREE(&d->hidden, &d->w, &d->dhidden, &d->dw);
}

/* Probabilities of row i, log-probabilities of its ids, and its entropy. */
static double reference_row(double *p, double *logp, const head_data *d, int i,
                            double temperature, const uint8_t *banned)
{
    double max = -INFINITY;
    for (int j = 0; j < V; j++) {
        double sum = 0.0;
        for (int e = 0; e < H; e++) {
            sum +=
                (double)values_of(&d->hidden)[i * H + e] * (double)values_of(&d->w)[j * H + e];
        }
        logp[j] = banned && banned[j] ? -INFINITY : sum / temperature;
        max = fmax(max, logp[j]);
    }
    double sum = 0.0;
    for (int j = 0; j < V; j++) {
        sum += exp(logp[j] - max);
    }
    double entropy = 0.0;
    for (int j = 0; j < V; j++) {
        logp[j] -= max + log(sum);
        p[j] = exp(logp[j]);
        entropy -= p[j] > 0.0 ? p[j] * logp[j] : 0.0;
    }
    return entropy;
}

typedef struct reference_sums {
    double loss, kl, entropy, dhidden[M * H], dw[V * H];
    int64_t correct;
} reference_sums;

static void add_gradient(reference_sums *r, const head_data *d, int i, const double *p,
                         double coefficient)
{
    for (int j = 0; j < V; j++) {
        double dz = coefficient * ((j == d->targets[i] ? 1.0 : 0.0) - p[j]);
        for (int e = 0; e < H; e++) {
            r->dhidden[i * H + e] += dz * (double)values_of(&d->w)[j * H + e];
            r->dw[j * H + e] += dz * (double)values_of(&d->hidden)[i * H + e];
        }
    }
}

static void check_against_reference(head_data *d, const judo_token_loss *spec,
                                    const uint8_t *banned, int64_t chunk)
{
    static reference_sums r;
    memset(&r, 0, sizeof r);
    fill_with(&d->dw, 0.0f);
    judo_token_result result = {
        .logprobs = d->logprobs, .entropies = d->entropies, .loss = 1.0};
    assert_ok(JUDO_TEST_OPS->head_loss(&result, &d->dhidden, &d->dw, &d->hidden, &d->w,
                                       d->targets, spec, banned, chunk));
    for (int i = 0; i < M; i++) {
        double p[V], logp[V];
        double temperature = (double)spec->temperature;
        double entropy = reference_row(p, logp, d, i, temperature, banned);
        double logprob = logp[d->targets[i]];
        assert_near((double)d->logprobs[i], logprob, 2e-6, "logprob", i);
        assert_near((double)d->entropies[i], entropy, 1e-5, "entropy", i);
        double weight = spec->weights ? (double)spec->weights[i] : 1.0;
        if (weight == 0.0) {
            continue;
        }
        judo_token_loss_value value = judo_token_loss_at(spec, i, (float)logprob);
        r.loss += weight * spec->scale * (double)value.loss;
        r.kl += (double)value.kl;
        r.entropy += entropy;
        bool best = true;
        for (int j = 0; j < V; j++) {
            best = best && logp[j] <= logprob;
        }
        r.correct += best;
        add_gradient(&r, d, i, p, weight * spec->scale * (double)value.gradient / temperature);
    }
    assert_near(result.loss, 1.0 + r.loss, 1e-5, "loss", 0);
    assert_near(result.kl, r.kl, 1e-4, "kl", 0);
    assert_near(result.entropy, r.entropy, 1e-5, "entropy sum", 0);
    assert_int_equal(result.num_correct, r.correct);
    /* In bf16 the gradients of the logits are rounded before they multiply. */
    double tolerance = BF16 ? 2e-3 : 1e-5;
    for (int i = 0; i < M * H; i++) {
        assert_stored((double)values_of(&d->dhidden)[i], r.dhidden[i], tolerance, 1, "dhidden",
                      i);
    }
    for (int i = 0; i < V * H; i++) {
        assert_near((double)values_of(&d->dw)[i], r.dw[i], tolerance, "dw", i);
    }
}

static void test_nll__matches_plain_loops_for_every_chunk(void **state)
{
    (void)state;
    head_data d;
    open_data(&d);
    d.targets[2] = 700; /* made the best below */
    for (int e = 0; e < H; e++) {
        values_of(&d.w)[700 * H + e] = stored(9.0f * values_of(&d.hidden)[2 * H + e]);
    }
    const int64_t chunks[] = {1, 4, 23, 1000};
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        judo_token_loss spec = {.kind = JUDO_LOSS_NLL, .scale = 0.25, .temperature = 1.0f};
        check_against_reference(&d, &spec, NULL, chunks[c]);
        spec.weights = d.weights;
        check_against_reference(&d, &spec, d.banned, chunks[c]);
    }
    close_data(&d);
}

static void test_policy__matches_plain_loops_with_ratio_clip_and_kl(void **state)
{
    (void)state;
    head_data d;
    open_data(&d);
    judo_token_loss spec = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 0.7f};
    check_against_reference(&d, &spec, NULL, 8);
    for (int i = 0; i < M; i++) {
        d.old[i] = d.logprobs[i] + 0.15f * (float)(i % 7 - 3);
        d.reference[i] = d.logprobs[i] + 0.2f * (float)(i % 3 - 1);
    }
    spec = (judo_token_loss){.kind = JUDO_LOSS_POLICY,
                             .scale = 0.125,
                             .temperature = 0.7f,
                             .weights = d.weights,
                             .advantages = d.advantages,
                             .clip_low = 0.2f,
                             .clip_high = 0.28f};
    check_against_reference(&d, &spec, NULL, 8); /* the policy's own: ratio 1 */
    spec.old_logprobs = d.old;
    spec.ref_logprobs = d.reference;
    spec.kl_beta = 0.04f;
    check_against_reference(&d, &spec, d.banned, 8);
    close_data(&d);
}

static void test_weights__a_target_of_weight_zero_counts_for_nothing(void **state)
{
    (void)state;
    head_data d;
    open_data(&d);
    values_of(&d.hidden)[4 * H] = NAN; /* weights[4] is 0 */
    judo_token_loss spec = {
        .kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f, .weights = d.weights};
    judo_token_result result = {0};
    assert_ok(JUDO_TEST_OPS->head_loss(&result, &d.dhidden, NULL, &d.hidden, &d.w, d.targets,
                                       &spec, NULL, 5));
    assert_true(isfinite(result.loss) && isfinite(result.entropy));
    for (int e = 0; e < H; e++) {
        assert_true(values_of(&d.dhidden)[4 * H + e] == 0.0f);
    }
    close_data(&d);
}

static void test_rows__values_do_not_depend_on_chunks_or_threads(void **state)
{
    (void)state;
    head_data d;
    open_data(&d);
    judo_token_loss spec = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 0.9f};
    float first[M];
    double loss = 0.0;
    judo_tensor dhidden = new_copy(&d.dhidden);
    int before = judo_ops_cpu_threads();
    for (int chunk = 1; chunk <= M + 1; chunk++) {
        judo_ops_cpu_set_threads(1 + chunk % 3);
        judo_token_result result = {.logprobs = chunk == 1 ? first : d.logprobs};
        assert_ok(JUDO_TEST_OPS->head_loss(&result, chunk == 1 ? &dhidden : &d.dhidden, NULL,
                                           &d.hidden, &d.w, d.targets, &spec, NULL, chunk));
        if (chunk == 1) {
            loss = result.loss;
            continue;
        }
        assert_true(result.loss == loss);
        assert_memory_equal(first, d.logprobs, sizeof first);
        assert_same_bits(&dhidden, &d.dhidden, "dhidden");
    }
    judo_ops_cpu_set_threads(before);
    FREE(&dhidden);
    close_data(&d);
}

static void test_arguments__are_checked_and_zero_rows_are_fine(void **state)
{
    (void)state;
    head_data d;
    open_data(&d);
    judo_token_loss spec = {.kind = JUDO_LOSS_NLL, .scale = 1.0, .temperature = 1.0f};
    judo_token_result result = {0};
    judo_tensor none = rows_of(&d.hidden, 0, 0);
    judo_tensor dnone = rows_of(&d.dhidden, 0, 0);
    assert_ok(
        JUDO_TEST_OPS->head_loss(&result, &dnone, &d.dw, &none, &d.w, NULL, &spec, NULL, 16));
    assert_true(result.loss == 0.0);
    d.targets[3] = V;
    assert_int_equal(JUDO_TEST_OPS->head_loss(&result, NULL, NULL, &d.hidden, &d.w, d.targets,
                                              &spec, NULL, 16),
                     JUDO_ERROR_ARGUMENT);
    d.targets[3] = 0;
    assert_int_equal(JUDO_TEST_OPS->head_loss(&result, NULL, NULL, &d.hidden, &d.w, d.targets,
                                              &spec, NULL, 0),
                     JUDO_ERROR_ARGUMENT);
    spec.kind = JUDO_LOSS_POLICY;
    assert_int_equal(JUDO_TEST_OPS->head_loss(&result, NULL, NULL, &d.hidden, &d.w, d.targets,
                                              &spec, NULL, 16),
                     JUDO_ERROR_ARGUMENT);
    close_data(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nll__matches_plain_loops_for_every_chunk),
        cmocka_unit_test(test_policy__matches_plain_loops_with_ratio_clip_and_kl),
        cmocka_unit_test(test_weights__a_target_of_weight_zero_counts_for_nothing),
        cmocka_unit_test(test_rows__values_do_not_depend_on_chunks_or_threads),
        cmocka_unit_test(test_arguments__are_checked_and_zero_rows_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
