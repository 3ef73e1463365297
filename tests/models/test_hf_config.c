/* tests/models/test_hf_config.c: config.json in its forms, and what is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "models/hf_config.h"
#include "runtime/file.h"

#define TEXT                                                                                   \
    "\"vocab_size\":151936,\"hidden_size\":2048,\"intermediate_size\":11008,"                  \
    "\"num_hidden_layers\":36,\"num_attention_heads\":16,\"num_key_value_heads\":2,"           \
    "\"hidden_act\":\"silu\",\"rms_norm_eps\":1e-06,\"max_position_embeddings\":128000,"       \
    "\"use_sliding_window\":false,\"attention_dropout\":0.0"
#define THETA ",\"rope_theta\":1000000.0"
#define ROPE  ",\"rope_scaling\":{\"type\":\"mrope\",\"mrope_section\":[16,24,24]}"
#define TIED  ",\"tie_word_embeddings\":true"
#define VISION                                                                                 \
    ",\"vision_config\":{\"depth\":32,\"hidden_act\":\"silu\",\"hidden_size\":1280,"           \
    "\"intermediate_size\":3420,\"num_heads\":16,\"in_chans\":3,\"out_hidden_size\":2048,"     \
    "\"patch_size\":14,\"spatial_merge_size\":2,\"window_size\":112,"                          \
    "\"fullatt_block_indexes\":[7,15,23,31],\"temporal_patch_size\":2}"
#define TOP "{\"model_type\":\"qwen2_5_vl\",\"image_token_id\":151655"
#define HUB TOP "," TEXT THETA ROPE TIED VISION "}"

static char folder[64];

static judo_status load(const char *text, judo_qwen_config *out)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_equal(judo_file_replace(path, text, strlen(text)), JUDO_OK);
    return judo_qwen_config_load(folder, out);
}

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/judo_hf_config_%d", (int)getpid());
    return judo_file_make_folder(folder) == JUDO_OK ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static void check_3b(const judo_qwen_config *c)
{
    assert_int_equal(c->text.vocab_size, 151936);
    assert_int_equal(c->text.head_dim, 128);
    assert_int_equal(c->text.num_kv_heads, 2);
    assert_true(c->text.rope_theta == 1e6);
    assert_true(c->text.tie_word_embeddings);
    assert_int_equal(c->vision.head_dim, 80);
    assert_int_equal(c->vision.in_channels, 3);
    assert_true(c->vision.full_attention[31]);
    assert_false(c->vision.full_attention[30]);
    assert_int_equal(judo_qwen_patch_values(c), 1176);
    assert_int_equal(judo_qwen_merge_unit(c), 4);
}

static void test_config__reads_the_flat_form_of_the_hub(void **state)
{
    (void)state;
    judo_qwen_config c;
    assert_int_equal(load(HUB, &c), JUDO_OK);
    check_3b(&c);
}

static void test_config__reads_the_nested_form(void **state)
{
    (void)state;
    judo_qwen_config c;
    assert_int_equal(load(TOP ",\"text_config\":{" TEXT THETA ROPE TIED "}" VISION "}", &c),
                     JUDO_OK);
    check_3b(&c);
    assert_int_equal(load(TOP ",\"text_config\":{" TEXT
                              ",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":"
                              "1000000.0,\"mrope_section\":[16,24,24]}}" TIED VISION "}",
                          &c),
                     JUDO_OK);
    check_3b(&c);
}

/* Replaces the first `from` in HUB. */
static void expect_failure(const char *from, const char *to, judo_status code,
                           const char *named)
{
    char text[4096];
    const char *found = strstr(HUB, from);
    judo_qwen_config c;
    assert_non_null(found);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(found - HUB), HUB, to,
                   found + strlen(from));
    assert_int_equal(load(text, &c), code);
    if (!strstr(judo_error_message(), named) || !strstr(judo_error_message(), "config.json")) {
        fail_msg("\"%s\" does not name %s", judo_error_message(), named);
    }
}

static void test_config__a_missing_field_is_named(void **state)
{
    (void)state;
    const char *const required[] = {"hidden_size",      "vocab_size",  "num_hidden_layers",
                                    "rms_norm_eps",     "rope_theta",  "mrope_section",
                                    "rope_scaling",     "window_size", "fullatt_block_indexes",
                                    "image_token_id",   "model_type",  "out_hidden_size",
                                    "intermediate_size"};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        char from[64];
        (void)snprintf(from, sizeof from, "\"%s\"", required[i]);
        expect_failure(from, "\"renamed\"", JUDO_ERROR_FORMAT, required[i]);
    }
}

static void test_config__what_judo_cannot_compute_is_refused(void **state)
{
    (void)state;
    expect_failure("\"silu\"", "\"gelu\"", JUDO_ERROR_UNSUPPORTED, "hidden_act");
    expect_failure("\"use_sliding_window\":false", "\"use_sliding_window\":true",
                   JUDO_ERROR_UNSUPPORTED, "use_sliding_window");
    expect_failure("\"attention_dropout\":0.0", "\"attention_dropout\":0.1",
                   JUDO_ERROR_UNSUPPORTED, "attention_dropout");
    expect_failure("\"mrope\"", "\"yarn\"", JUDO_ERROR_UNSUPPORTED, "yarn");
    expect_failure("qwen2_5_vl", "qwen2_vl", JUDO_ERROR_UNSUPPORTED, "qwen2_vl");
}

static void test_config__sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    expect_failure("[16,24,24]", "[16,24,25]", JUDO_ERROR_FORMAT, "mrope_section");
    expect_failure("[16,24,24]", "[16,24]", JUDO_ERROR_FORMAT, "mrope_section");
    expect_failure("\"num_key_value_heads\":2", "\"num_key_value_heads\":3", JUDO_ERROR_FORMAT,
                   "num_key_value_heads");
    expect_failure("\"num_attention_heads\":16", "\"num_attention_heads\":0", JUDO_ERROR_FORMAT,
                   "num_attention_heads");
    expect_failure("\"window_size\":112", "\"window_size\":100", JUDO_ERROR_FORMAT,
                   "window_size");
    expect_failure("\"out_hidden_size\":2048", "\"out_hidden_size\":1024", JUDO_ERROR_FORMAT,
                   "out_hidden_size");
    expect_failure("[7,15,23,31]", "[7,32]", JUDO_ERROR_FORMAT, "32");
    expect_failure("\"patch_size\":14", "\"patch_size\":-14", JUDO_ERROR_FORMAT, "patch_size");
    expect_failure("\"vocab_size\":151936", "\"vocab_size\":9e18", JUDO_ERROR_FORMAT,
                   "vocab_size");
    expect_failure("\"depth\":32", "\"depth\":100000", JUDO_ERROR_FORMAT, "depth");
    expect_failure("\"image_token_id\":151655", "\"image_token_id\":151936", JUDO_ERROR_FORMAT,
                   "image_token_id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__reads_the_flat_form_of_the_hub),
        cmocka_unit_test(test_config__reads_the_nested_form),
        cmocka_unit_test(test_config__a_missing_field_is_named),
        cmocka_unit_test(test_config__what_judo_cannot_compute_is_refused),
        cmocka_unit_test(test_config__sizes_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
