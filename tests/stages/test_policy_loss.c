/* tests/stages/test_policy_loss.c: the policy losses by hand and by finite differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "models/sequence_ratio.h"
#include "stages/loss_scale.h"
#include "stages/policy_loss.h"

enum { SEQUENCES = 4, TARGETS = 11 };

static const int32_t lengths[SEQUENCES] = {3, 1, 5, 2};
static const float completion_advantages[SEQUENCES] = {1.5f, -0.5f, -1.25f, 0.75f};

typedef struct update {
    judo_train_config config;
    judo_token_loss loss;
    int32_t sequences[TARGETS];
    float logprobs[TARGETS], old[TARGETS], reference[TARGETS], advantages[TARGETS],
        weights[TARGETS], log_ratios[TARGETS];
} update;

static void make_update(update *u, judo_policy_loss kind, judo_importance importance)
{
    memset(u, 0, sizeof *u);
    u->config.grpo.loss = kind;
    u->config.grpo.importance = importance;
    u->config.grpo.clip_low = 0.3;
    u->config.grpo.clip_high = -1;
    u->config.grpo.kl_beta = 0.04;
    u->config.grpo.logprob_temperature = 1;
    int32_t at = 0;
    for (int32_t s = 0; s < SEQUENCES; s++) {
        for (int32_t t = 0; t < lengths[s]; t++, at++) {
            u->sequences[at] = s;
            u->advantages[at] = completion_advantages[s];
            u->weights[at] = judo_policy_weight(kind, lengths[s]);
            u->logprobs[at] = -1 - 0.3f * (float)(at % 4);
            u->old[at] = u->logprobs[at] + 0.11f * (float)(at % 5 - 2) + 0.02f * (float)s;
            u->reference[at] = u->logprobs[at] - 0.2f * (float)(at % 3 - 1);
        }
    }
    u->loss = judo_policy_token_loss(&u->config,
                                     judo_policy_denominator(kind, SEQUENCES, TARGETS, 8));
    u->loss.weights = u->weights;
    u->loss.advantages = u->advantages;
    u->loss.old_logprobs = u->old;
    u->loss.ref_logprobs = u->reference;
    u->loss.log_ratios = judo_policy_is_sequence_level(&u->config) ? u->log_ratios : NULL;
}

/* The step's loss as a function of the log-probabilities. */
static double loss_of(update *u)
{
    double sum = 0;
    judo_sequence_log_ratios(TARGETS, u->sequences, u->logprobs, u->old, u->log_ratios);
    for (int64_t i = 0; i < TARGETS; i++) {
        double value = (double)judo_token_loss_at(&u->loss, i, u->logprobs[i]).loss;
        sum += (double)u->weights[i] * u->loss.scale * value;
    }
    return sum;
}

static void assert_gradient(judo_policy_loss kind, judo_importance importance)
{
    update u;
    make_update(&u, kind, importance);
    for (int64_t i = 0; i < TARGETS; i++) {
        const float step = 1.0f / 64;
        float center = u.logprobs[i];
        u.logprobs[i] = center + step;
        double above = loss_of(&u);
        u.logprobs[i] = center - step;
        double below = loss_of(&u);
        u.logprobs[i] = center;
        (void)loss_of(&u);
        double gradient = (double)u.weights[i] * u.loss.scale *
                          (double)judo_token_loss_at(&u.loss, i, center).gradient;
        double difference = (above - below) / (2 * (double)step);
        if (!(fabs(gradient - difference) < 1e-4 * fmax(1, fabs(difference)))) {
            print_error("loss %d level %d target %d: %g, not %g\n", kind, importance, (int)i,
                        gradient, difference);
        }
        assert_true(fabs(gradient - difference) < 1e-4 * fmax(1, fabs(difference)));
    }
}

static void test_gradients__are_the_slope_of_the_loss_at_both_levels(void **state)
{
    (void)state;
    for (int kind = JUDO_POLICY_GRPO; kind <= JUDO_POLICY_GSPO; kind++) {
        assert_gradient((judo_policy_loss)kind, JUDO_IMPORTANCE_TOKEN);
        assert_gradient((judo_policy_loss)kind, JUDO_IMPORTANCE_SEQUENCE);
    }
}

static void test_gspo__is_grpo_with_one_ratio_per_completion(void **state)
{
    (void)state;
    update gspo, grpo;
    make_update(&gspo, JUDO_POLICY_GSPO, JUDO_IMPORTANCE_TOKEN);
    make_update(&grpo, JUDO_POLICY_GRPO, JUDO_IMPORTANCE_SEQUENCE);
    assert_true(loss_of(&gspo) == loss_of(&grpo));
    double expected = 0;
    gspo.loss.kl_beta = 0;
    for (int32_t s = 0, at = 0; s < SEQUENCES; at += lengths[s++]) {
        double mean = 0;
        for (int32_t t = 0; t < lengths[s]; t++) {
            mean += ((double)gspo.logprobs[at + t] - (double)gspo.old[at + t]) / lengths[s];
        }
        double ratio = exp(mean);
        double clipped = fmin(fmax(ratio, 0.7), 1.3);
        double advantage = (double)completion_advantages[s];
        expected -= fmin(ratio * advantage, clipped * advantage) / SEQUENCES;
    }
    assert_true(fabs(loss_of(&gspo) - expected) < 1e-6);
}

static void test_first_update__has_ratio_one_at_both_levels(void **state)
{
    (void)state;
    update u;
    make_update(&u, JUDO_POLICY_GSPO, JUDO_IMPORTANCE_SEQUENCE);
    (void)loss_of(&u);
    u.loss.old_logprobs = NULL;
    u.loss.kl_beta = 0;
    for (int64_t i = 0; i < TARGETS; i++) {
        judo_token_loss_value value = judo_token_loss_at(&u.loss, i, u.logprobs[i]);
        assert_true(value.gradient == -u.advantages[i] && value.loss == -u.advantages[i]);
    }
}

static void test_delta__bounds_what_a_disadvantage_can_cost(void **state)
{
    (void)state;
    float old = -3, advantage = -2;
    judo_token_loss loss = {.kind = JUDO_LOSS_POLICY,
                            .advantages = &advantage,
                            .old_logprobs = &old,
                            .clip_low = 0.2f,
                            .clip_high = 0.2f};
    judo_token_loss_value open = judo_token_loss_at(&loss, 0, -1);
    assert_true(fabsf(open.loss - 2 * expf(2)) < 1e-5f && open.gradient == open.loss);
    loss.ratio_cap = 4;
    judo_token_loss_value capped = judo_token_loss_at(&loss, 0, -1);
    assert_true(capped.loss == 8 && capped.gradient == 0 && capped.clipped == 0);
    judo_token_loss_value below = judo_token_loss_at(&loss, 0, -2);
    assert_true(below.gradient == judo_token_loss_at(&loss, 0, -2).loss && below.gradient > 5);
    advantage = 2; /* the clip is narrower */
    assert_int_equal(judo_token_loss_at(&loss, 0, -1).clipped, 1);
}

static void test_clip_tally__counts_tokens_or_completions(void **state)
{
    (void)state;
    update u;
    make_update(&u, JUDO_POLICY_GRPO, JUDO_IMPORTANCE_TOKEN);
    for (int i = 0; i < TARGETS; i++) {
        u.old[i] = u.logprobs[i];
    }
    u.old[0] -= 1; /* above, advantage 1.5: clipped */
    u.old[3] += 1; /* below, advantage -0.5: clipped */
    u.old[4] += 1; /* below, advantage -1.25: clipped */
    u.old[9] += 1; /* below, advantage 0.75: free */
    judo_clip_tally tally = judo_clip_tally_begin();
    judo_clip_tally_add(&tally, &u.loss, TARGETS, u.sequences, u.logprobs);
    assert_true(tally.low == 2 && tally.high == 1 && tally.low_min == 0);
    assert_true(fabs(tally.high_max - 1.0 / 3) < 1e-12);
    u.loss.log_ratios = u.log_ratios;
    (void)loss_of(&u);
    tally = judo_clip_tally_begin();
    judo_clip_tally_add(&tally, &u.loss, TARGETS, u.sequences, u.logprobs);
    assert_true(tally.low == 1 && tally.high == 1 && tally.high_max == 1);
}

static void test_settings__that_contradict_are_refused(void **state)
{
    (void)state;
    judo_train_config config = {
        .grpo = {.clip_low = 0.2, .clip_high = 0.3, .delta = 1.3, .updates_per_rollout = 1}};
    assert_int_equal(judo_policy_loss_check(&config), JUDO_ERROR_CONFIG);
    config.grpo.delta = 4;
    assert_int_equal(judo_policy_loss_check(&config), JUDO_OK);
    config.grpo.clip_high = -1;
    assert_true(judo_policy_token_loss(&config, 1).clip_high == 0.2f);
}

static void test_losses__that_judo_lacks_are_named_with_those_it_has(void **state)
{
    (void)state;
    static judo_train_config config;
    judo_config_table table = judo_train_config_table(true);
    const char *const lacking[] = {"cispo", "sapo", "vespo"};
    for (int i = 0; i < 3; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "loss_type=%s", lacking[i]);
        const char *overrides[] = {"run.folder=r", "model.path=m", "data.path=d", text};
        assert_int_equal(judo_config_load(&config, &table, NULL, overrides, 4),
                         JUDO_ERROR_CONFIG);
        assert_non_null(strstr(judo_error_message(), lacking[i]));
        assert_non_null(strstr(judo_error_message(), "dr_grpo"));
        assert_non_null(strstr(judo_error_message(), "gspo"));
    }
    const char *overrides[] = {"run.folder=r", "model.path=m", "data.path=d", "epsilon=0.1",
                               "importance_sampling_level=sequence"};
    assert_int_equal(judo_config_load(&config, &table, NULL, overrides, 5), JUDO_OK);
    assert_true(judo_policy_is_sequence_level(&config));
    assert_true(judo_policy_token_loss(&config, 1).clip_high == 0.1f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients__are_the_slope_of_the_loss_at_both_levels),
        cmocka_unit_test(test_gspo__is_grpo_with_one_ratio_per_completion),
        cmocka_unit_test(test_first_update__has_ratio_one_at_both_levels),
        cmocka_unit_test(test_delta__bounds_what_a_disadvantage_can_cost),
        cmocka_unit_test(test_clip_tally__counts_tokens_or_completions),
        cmocka_unit_test(test_settings__that_contradict_are_refused),
        cmocka_unit_test(test_losses__that_judo_lacks_are_named_with_those_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
