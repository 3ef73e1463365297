/* tests/runtime/test_config.c: defaults, files, overrides, every error, and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/config.h"

typedef struct sample {
    int64_t steps;
    double rate;
    bool shuffle;
    int precision;
    char folder[JUDO_CONFIG_STRING_BYTES];
    char name[JUDO_CONFIG_STRING_BYTES];
    double decay;
} sample;

static const judo_config_field loop_fields[] = {
    {.key = "train.steps",
     .type = JUDO_CONFIG_INT,
     .offset = offsetof(sample, steps),
     .default_text = "100",
     .minimum = 1,
     .maximum = 1e9,
     .doc = "optimizer steps",
     .aliases = "max_steps|num_steps"},
    {.key = "optimizer.learning_rate",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(sample, rate),
     .default_text = "1e-5",
     .minimum = 0,
     .maximum = 1,
     .doc = "peak learning rate"},
    {.key = "train.shuffle",
     .type = JUDO_CONFIG_BOOL,
     .offset = offsetof(sample, shuffle),
     .default_text = "true",
     .doc = "draw a new order per epoch"},
    {.key = NULL},
};
static const judo_config_field model_fields[] = {
    {.key = "precision",
     .type = JUDO_CONFIG_CHOICE,
     .offset = offsetof(sample, precision),
     .default_text = "fp32",
     .choices = "fp32|bf16",
     .doc = "of the computation"},
    {.key = "model.folder",
     .type = JUDO_CONFIG_STRING,
     .offset = offsetof(sample, folder),
     .default_text = NULL,
     .doc = "a Hugging Face model folder"},
    {.key = "name",
     .type = JUDO_CONFIG_STRING,
     .offset = offsetof(sample, name),
     .default_text = "",
     .doc = "of the run"},
    {.key = "optimizer.decay",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(sample, decay),
     .default_text = "-0.5",
     .doc = "unbounded"},
    {.key = NULL},
};
static const judo_config_field *const parts[] = {loop_fields, model_fields};
static const judo_config_hint hints[] = {
    {"half", "write precision: bf16"},
    {NULL, NULL},
};
static const judo_config_table table = {.parts = parts, .num_parts = 2, .hints = hints};

static char path[64];

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/judo_config_%ld.yaml", (long)getpid());
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void write_bytes(const char *text, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static judo_status load(sample *out, const char *yaml, const char *override)
{
    write_bytes(yaml, strlen(yaml));
    return judo_config_load(out, &table, path, &override, override != NULL);
}

static void test_load__defaults_file_and_overrides_stack(void **state)
{
    (void)state;
    sample s;
    memset(&s, 0xAA, sizeof s);
    const char *overrides[] = {"train.steps=7", "name=a=b", "model.folder=\"\""};
    static const char yaml[] =
        "# comment\nmodel:\n  folder: some/where\ntrain: {steps: 5, shuffle: False}\n"
        "optimizer.learning_rate: 2.5e-3\nprecision: bf16\n";
    write_bytes(yaml, sizeof yaml - 1);
    assert_int_equal(judo_config_load(&s, &table, path, overrides, 2), JUDO_OK);
    assert_int_equal(s.steps, 7);
    assert_true(s.rate == 2.5e-3);
    assert_false(s.shuffle);
    assert_int_equal(s.precision, 1);
    assert_string_equal(s.folder, "some/where");
    assert_string_equal(s.name, "a=b");
    assert_true(s.decay == -0.5);

    assert_int_equal(judo_config_load(&s, &table, NULL, overrides, 3), JUDO_OK);
    assert_true(s.shuffle);
    assert_int_equal(s.precision, 0);
    assert_string_equal(s.folder, "");
}

static void test_load__an_empty_file_sets_nothing(void **state)
{
    (void)state;
    sample s;
    assert_int_equal(load(&s, "", "model.folder=m"), JUDO_OK);
    assert_int_equal(load(&s, "# nothing\n---\n", "model.folder=m"), JUDO_OK);
    assert_int_equal(load(&s, "train: {}\nname:\n", "model.folder=m"), JUDO_OK);
    assert_int_equal(s.steps, 100);
    assert_string_equal(s.name, "");
}

static void test_load__aliases_are_other_spellings(void **state)
{
    (void)state;
    sample s;
    assert_int_equal(load(&s, "num_steps: 9\nmodel.folder: m\n", NULL), JUDO_OK);
    assert_int_equal(s.steps, 9);
    assert_int_equal(load(&s, "num_steps: 9\nmax_steps: 9\nmodel.folder: m\n", NULL),
                     JUDO_ERROR_CONFIG);
    assert_non_null(strstr(judo_error_message(), "'train.steps' is repeated"));
    assert_int_equal(load(&s, "model.folder: m\n", "max_steps=3"), JUDO_OK);
    assert_int_equal(s.steps, 3);
}

static void test_load__the_environment_fills_strings(void **state)
{
    (void)state;
    sample s;
    assert_int_equal(setenv("JUDO_TEST_ROOT", "/data", 1), 0);
    assert_int_equal(load(&s, "model.folder: ${JUDO_TEST_ROOT}/m\nname: a$${X}$b\n", NULL),
                     JUDO_OK);
    assert_string_equal(s.folder, "/data/m");
    assert_string_equal(s.name, "a${X}$b");
    assert_int_equal(load(&s, "model.folder: ${JUDO_TEST_UNSET}\n", NULL), JUDO_ERROR_CONFIG);
    assert_non_null(strstr(judo_error_message(), "'JUDO_TEST_UNSET' is not set"));
    assert_int_equal(load(&s, "model.folder: 'a${b'\n", NULL), JUDO_ERROR_CONFIG);
    assert_non_null(strstr(judo_error_message(), "without a name"));
}

/* `part` begins with ":" when the place in the file matters. */
typedef struct bad_case {
    const char *yaml, *override, *part;
} bad_case;

static void expect_refused(const bad_case *c)
{
    sample s;
    sample before;
    memset(&s, 0x55, sizeof s);
    before = s;
    if (load(&s, c->yaml, c->override) != JUDO_ERROR_CONFIG) {
        fail_msg("not refused: %s %s", c->yaml, c->override ? c->override : "");
    }
    assert_memory_equal(&s, &before, sizeof s);
    const char *message = judo_error_message();
    bool placed = c->part[0] == ':';
    if (strstr(message, c->part) == NULL ||
        (placed && strncmp(message, path, strlen(path)) != 0)) {
        fail_msg("'%s' is not in '%s'", c->part, message);
    }
}

static void test_load__wrong_keys_are_placed_and_explained(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"optimizer:\n  learing_rate: 1\n", NULL,
         ":2:3: unknown key 'optimizer.learing_rate'; did you mean 'optimizer.learning_rate'?"},
        {"learning_rate: 1\n", NULL, "did you mean 'optimizer.learning_rate'?"},
        {"train: {stpes: 1}\n", NULL, "did you mean 'train.steps'?"},
        {"zzzzzzzzz: 1\n", NULL, ":1:1: unknown key 'zzzzzzzzz'; --help lists"},
        {"zzzzzzzzz: {}\n", NULL, "unknown key 'zzzzzzzzz'"},
        {"half: true\n", NULL, ":1:1: 'half': write precision: bf16"},
        {"train:\n  half.enabled: true\n", NULL, ":2:3: 'train.half.enabled': write precision"},
        {"halfs: true\n", NULL, "unknown key 'halfs'"},
        {"train: 3\n", NULL, ":1:1: 'train' is a section"},
        {"name: {a: 3}\n", NULL, "'name' takes a value"},
        {"name: {}\n", NULL, "'name' takes a value"},
        {"name: a\nname: b\n", NULL, ":2:1: key 'name' is repeated; it stands in line 1"},
        {"train: {steps: 1}\ntrain: {shuffle: true}\n", NULL, ":2:1: key 'train' is repeated"},
        {"train: {steps: 1}\ntrain.steps: 1\n", NULL, ":2:1: 'train.steps' is repeated"},
        {"name: a\n", NULL, "'model.folder' is required: a Hugging Face model folder"},
        {"", "nonsense", "override 'nonsense': expected key=value"},
        {"", "=1", "expected key=value"},
        {"", "nme=1", "override 'nme=1': unknown key 'nme'; did you mean 'name'?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_refused(&cases[i]);
    }
    sample s;
    const char *twice[] = {"name=a", "name=b"};
    assert_int_equal(judo_config_load(&s, &table, NULL, twice, 2), JUDO_ERROR_CONFIG);
    assert_string_equal(judo_error_message(),
                        "override 'name=b': 'name' is repeated; it is set at override "
                        "'name=a' already");
    assert_int_equal(judo_config_load(&s, &table, NULL, NULL, 0), JUDO_ERROR_CONFIG);
    assert_non_null(strstr(judo_error_message(), "command line: 'model.folder' is required"));
}

static void test_load__wrong_values_are_placed_and_explained(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"train:\n  steps: 1.5\n", NULL, ":2:3: 'train.steps' must be an integer, not '1.5'"},
        {"train.steps: \"5\"\n", NULL, "must be an integer, not \"5\""},
        {"train.steps: 99999999999999999999\n", NULL, "must be an integer"},
        {"train.steps: 0x10\n", NULL, "must be an integer"},
        {"train.steps:\n", NULL, "must be an integer, not ''"},
        {"", "train.steps=-", "must be an integer, not '-'"},
        {"train.steps: 0\n", NULL, "must be in [1, 1e+09], not 0"},
        {"optimizer.learning_rate: fast\n", NULL, "must be a number, not 'fast'"},
        {"optimizer.learning_rate: nan\n", NULL, "must be a number"},
        {"optimizer.learning_rate: .inf\n", NULL, "must be a number"},
        {"optimizer.learning_rate: 1e999\n", NULL, "must be a number"},
        {"optimizer.learning_rate: 2\n", NULL, "must be in [0, 1], not 2"},
        {"train.shuffle: yes\n", NULL, "must be true or false, not 'yes'"},
        {"precision: fp8\n", NULL, "must be one of fp32|bf16, not 'fp8'"},
        {"name: \"\\x01\"\n", NULL, "byte 0x01 is not printable"},
        {"name: \"\\x80\"\n", NULL, "not printable"},
        {"", "train.steps=x", "override 'train.steps=x': 'train.steps' must be an integer"},
        {"", "name=\xff", "not printable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_refused(&cases[i]);
    }
    char yaml[1200] = "name: ";
    memset(yaml + 6, 'x', 1024);
    const bad_case too_long = {yaml, NULL, "longer than 1023 bytes"};
    expect_refused(&too_long);
}

static void test_load__yaml_that_configurations_do_not_need_is_refused(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"name: &a x\n", NULL, ":1:7: YAML anchors"},
        {"train: &a {}\n", NULL, "YAML anchors"},
        {"name: *a\n", NULL, "YAML aliases"},
        {"name: !!str 1\n", NULL, ":1:7: YAML tags"},
        {"name: [1, 2]\n", NULL, ":1:7: expected a value, found a list"},
        {"- 1\n", NULL, "found a list"},
        {"hello\n", NULL, ":1:1: expected 'key: value' lines"},
        {"? {a: 1}\n: 2\n", NULL, "a key must be plain text"},
        {"\"\": 1\n", NULL, "empty or too long"},
        {"name: a\n---\nname: b\n", NULL, "more than one YAML document"},
        {"name: 'abc\n", NULL, "not valid YAML"},
        {"\tname: a\n", NULL, "not valid YAML"},
        {"a: b: c\n", NULL, ":1:5: not valid YAML"},
        {"name: \xff\n", NULL, "not valid YAML"},
        {"a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1"
         "}}}}}}}}}}}}}}}}}\n",
         NULL, "nested too deeply"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_refused(&cases[i]);
    }
    sample s;
    write_bytes("name: \"a\\0b\"\n", 14);
    assert_int_equal(judo_config_load(&s, &table, path, NULL, 0), JUDO_ERROR_CONFIG);
    assert_int_equal(judo_config_load(&s, &table, "no/such.yaml", NULL, 0), JUDO_ERROR_IO);
}

static void test_print__what_is_printed_loads_back(void **state)
{
    (void)state;
    sample s;
    sample back;
    memset(&s, 0, sizeof s);
    memset(&back, 0, sizeof back);
    assert_int_equal(load(&s,
                          "name: \"a\\\"b\\\\c\\n\\t: # $${x} $y \\u00e9\"\nprecision: bf16\n"
                          "optimizer: {learning_rate: 0.1, decay: -1.0e+300}\n"
                          "model.folder: 'null'\ntrain.shuffle: false\n",
                          NULL),
                     JUDO_OK);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_int_equal(judo_config_print(out, &s, &table), JUDO_OK);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "train:\n"
                              "  steps: 100\n"
                              "  shuffle: false\n"
                              "optimizer:\n"
                              "  learning_rate: 0.1\n"
                              "  decay: -1e+300\n"
                              "precision: \"bf16\"\n"
                              "model:\n"
                              "  folder: \"null\"\n"
                              "name: \"a\\\"b\\\\c\\n\\t: # $${x} $y \xc3\xa9\"\n");
    write_bytes(text, length);
    assert_int_equal(judo_config_load(&back, &table, path, NULL, 0), JUDO_OK);
    assert_int_equal(back.steps, s.steps);
    assert_true(back.rate == s.rate && back.decay == s.decay);
    assert_int_equal(back.shuffle, s.shuffle);
    assert_int_equal(back.precision, s.precision);
    assert_string_equal(back.folder, "null");
    assert_string_equal(back.name, s.name);
    free(text);
}

static void test_help__lists_key_type_default_range_and_doc(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    judo_config_print_help(out, &table);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "  train.steps              int        default 100, in [1, "
                                 "1e+09]\n      optimizer steps\n"));
    assert_non_null(strstr(text, "  precision                fp32|bf16  default fp32\n"));
    assert_non_null(strstr(text, "  model.folder             string     required\n"));
    assert_non_null(strstr(text, "  name                     string     default \"\"\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load__defaults_file_and_overrides_stack),
        cmocka_unit_test(test_load__an_empty_file_sets_nothing),
        cmocka_unit_test(test_load__aliases_are_other_spellings),
        cmocka_unit_test(test_load__the_environment_fills_strings),
        cmocka_unit_test(test_load__wrong_keys_are_placed_and_explained),
        cmocka_unit_test(test_load__wrong_values_are_placed_and_explained),
        cmocka_unit_test(test_load__yaml_that_configurations_do_not_need_is_refused),
        cmocka_unit_test(test_print__what_is_printed_loads_back),
        cmocka_unit_test(test_help__lists_key_type_default_range_and_doc),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
