/* tests/stages/test_foreign_keys.c: other programs' keys are understood or answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stages/foreign_keys.h"
#include "stages/train_config.h"

static const char *const required[] = {"run.folder=f", "model.path=m", "data.path=d"};

/* The required keys and one more. */
static judo_status load(bool for_grpo, const char *setting, judo_train_config *out)
{
    const char *overrides[] = {required[0], required[1], required[2], setting};
    judo_config_table table = judo_train_config_table(for_grpo);
    return judo_config_load(out, &table, NULL, overrides, 4);
}

static void test_foreign_keys__that_mean_the_same_are_taken(void **state)
{
    static const char *const settings[] = {
        "zero_optimization.stage=2",
        "zero_optimization.reduce_bucket_size=5000",
        "zero_optimization.stage3_param_persistence_threshold=7",
        "stage3_param_persistence_threshold=7",
        "zero_optimization.overlap_comm=false",
        "zero_optimization.offload_optimizer.device=cpu",
        "gradient_clipping=0.5",
        "max_grad_norm=0.5",
        "seed=3",
    };
    judo_train_config *config = calloc(1, sizeof *config);
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        for (int grpo = 0; grpo < 2; grpo++) {
            assert_int_equal(load(grpo, settings[i], config), JUDO_OK);
        }
    }
    assert_int_equal(load(false, "per_device_train_batch_size=3", config), JUDO_OK);
    assert_int_equal(config->train.micro_batch, 3);
    assert_int_equal(load(false, "train_batch_size=12", config), JUDO_OK);
    assert_int_equal(config->train.batch_size, 12);
    assert_int_equal(load(true, "num_generations=5", config), JUDO_OK);
    assert_int_equal(config->grpo.group_size, 5);
    assert_int_equal(load(true, "beta=0.25", config), JUDO_OK);
    assert_true(config->grpo.kl_beta == 0.25);
    assert_int_equal(load(true, "epsilon=0.125", config), JUDO_OK);
    assert_true(config->grpo.clip_low == 0.125);
    free(config);
}

static void expect_answer(bool for_grpo, const char *setting, const char *answer)
{
    judo_train_config *config = calloc(1, sizeof *config);
    assert_int_equal(load(for_grpo, setting, config), JUDO_ERROR_CONFIG);
    if (strstr(judo_error_message(), answer) == NULL) {
        print_error("%s: %s\n", setting, judo_error_message());
    }
    assert_non_null(strstr(judo_error_message(), answer));
    free(config);
}

static void test_foreign_keys__that_mean_another_are_answered(void **state)
{
    (void)state;
    expect_answer(false, "zero_optimization.zero_hpz_partition_size=8",
                  "judo calls it zero.group_size");
    expect_answer(false, "stage3_prefetch_bucket_size=1000", "zero.prefetch");
    expect_answer(false, "gradient_accumulation_steps=4", "train.batch_size");
    expect_answer(true, "per_device_train_batch_size=4", "grpo.prompts_per_step");
    expect_answer(true, "bf16.enabled=true", "model.dtype=bf16");
    expect_answer(true, "zero_optimization.offload_param.device=cpu", "zero.stage=3");
    expect_answer(true, "zero.prefetsch=1", "did you mean 'zero.prefetch'?");
}

/* An answer names only keys that there are. */
static void test_foreign_keys__have_answers_that_can_be_followed(void **state)
{
    static const char sections[][10] = {"zero.",  "run.",  "model.",  "data.",
                                        "train.", "grpo.", "rewards."};
    judo_config_table table = judo_train_config_table(true);
    judo_config_table other = judo_train_config_table(false);
    char *help = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&help, &length);
    (void)state;
    assert_non_null(stream);
    judo_config_print_help(stream, &table);
    judo_config_print_help(stream, &other);
    (void)fclose(stream);
    for (const judo_config_hint *hint = judo_foreign_keys; hint->key != NULL; hint++) {
        for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++) {
            for (const char *at = strstr(hint->answer, sections[s]); at != NULL;
                 at = strstr(at + 1, sections[s])) {
                size_t prefix = strlen(sections[s]);
                size_t word =
                    prefix + strspn(at + prefix, "abcdefghijklmnopqrstuvwxyz_0123456789");
                char key[64];
                (void)snprintf(key, sizeof key, "%.*s", (int)word, at);
                if (word > prefix && strstr(help, key) == NULL) {
                    print_error("%s: %s is no key\n", hint->key, key);
                    fail();
                }
            }
        }
    }
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_keys__that_mean_the_same_are_taken),
        cmocka_unit_test(test_foreign_keys__that_mean_another_are_answered),
        cmocka_unit_test(test_foreign_keys__have_answers_that_can_be_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
