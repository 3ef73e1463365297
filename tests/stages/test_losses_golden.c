/* tests/stages/test_losses_golden.c: losses, gradients and advantages against the numbers of
 * TRL and Transformers (tests/golden/make/losses.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/parity/filter/filters.h"

typedef struct golden {
    int lines[3];
    double worst;
} golden;

static const struct {
    const char *name;
    judo_filter_answer answer;
} commands[3] = {{"policy_loss", judo_parity_policy_loss_answer},
                 {"advantages", judo_parity_advantages_answer},
                 {"sft_loss", judo_parity_sft_loss_answer}};

static double number(const judo_json *item)
{
    double value = NAN;
    assert_int_equal(judo_json_as_double(item, "golden", &value), JUDO_OK);
    return value;
}

/* Relative where the expected number exceeds 1. */
static void compare(golden *self, const char *key, int64_t line, double found, double expected)
{
    double difference = fabs(found - expected) / fmax(1, fabs(expected));
    if (!(difference <= 1e-6)) {
        print_error("line %lld: %s is %.9g, not %.9g\n", (long long)line, key, found, expected);
    }
    assert_true(difference <= 1e-6);
    self->worst = fmax(self->worst, difference);
}

static void compare_member(golden *self, const judo_json *found, const judo_json *expected,
                           int64_t line)
{
    const char *key = judo_json_key(expected);
    assert_non_null(found);
    if (!judo_json_is_array(expected)) {
        compare(self, key, line, number(found), number(expected));
        return;
    }
    assert_int_equal(judo_json_size(found), judo_json_size(expected));
    const judo_json *a = judo_json_first(found);
    const judo_json *b = judo_json_first(expected);
    for (; b; a = judo_json_next(a), b = judo_json_next(b)) {
        compare(self, key, line, number(a), number(b));
    }
}

static judo_status check_line(void *context, const judo_json *row, int64_t line)
{
    golden *self = context;
    const char *name = NULL;
    int command = 0;
    JUDO_TRY(judo_json_get_string(row, "command", "golden", &name));
    while (strcmp(commands[command].name, name) != 0) {
        command++;
        assert_true(command < 3);
    }
    judo_json_writer text = {0};
    judo_json *found = NULL;
    JUDO_TRY(commands[command].answer(NULL, judo_json_get(row, "request"), "golden", &text));
    JUDO_TRY(judo_json_parse(text.text, text.length, "answer", &found));
    const judo_json *item = judo_json_first(judo_json_get(row, "answer"));
    assert_non_null(item);
    for (; item; item = judo_json_next(item)) {
        compare_member(self, judo_json_get(found, judo_json_key(item)), item, line);
    }
    judo_json_free(&found);
    judo_json_writer_free(&text);
    self->lines[command]++;
    return JUDO_OK;
}

static void test_losses_and_advantages__are_those_of_the_references(void **state)
{
    (void)state;
    golden self = {{0}, 0};
    assert_int_equal(judo_json_each_line("tests/golden/losses.jsonl", check_line, &self),
                     JUDO_OK);
    assert_int_equal(self.lines[0], 40);
    assert_int_equal(self.lines[1], 9);
    assert_int_equal(self.lines[2], 2);
    print_message("worst difference %.2g\n", self.worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_and_advantages__are_those_of_the_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
