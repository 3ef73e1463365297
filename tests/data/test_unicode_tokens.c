/* tests/data/test_unicode_tokens.c: ids of texts in which versions of Unicode differ, against
 * Hugging Face's tokenizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/unicode_ranges.h"
#include "data/wordpiece.h"
#include "tests/data/golden_list.h"
#include "tests/data/tokens.h"

typedef struct checker {
    judo_tokenizer *bpe;
    judo_wordpiece *wordpiece;
    int rows;
} checker;

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    checker *self = context;
    const char *text = NULL;
    judo_ids got = {0};
    judo_ids bpe = golden_list(row, "bpe");
    judo_ids wordpiece = golden_list(row, "wordpiece");
    JUDO_TRY(judo_json_get_string(row, "text", "golden", &text));
    JUDO_TRY(judo_tokenizer_encode(self->bpe, text, strlen(text), true, &got));
    if (got.count != bpe.count) {
        print_message("line %lld\n", (long long)line);
    }
    assert_ids(&got, bpe.ids, bpe.count);
    judo_ids_clear(&got);
    JUDO_TRY(judo_wordpiece_encode(self->wordpiece, text, strlen(text), 4096, &got));
    if (got.count != wordpiece.count) {
        print_message("line %lld\n", (long long)line);
    }
    assert_ids(&got, wordpiece.ids, wordpiece.count);
    judo_ids_free(&bpe);
    judo_ids_free(&wordpiece);
    judo_ids_free(&got);
    self->rows++;
    return JUDO_OK;
}

static void test_encode__equals_hugging_face_where_unicode_versions_differ(void **state)
{
    (void)state;
    checker self = {.bpe = open_tokenizer(SMALL_TOKENIZER)};
    assert_int_equal(judo_wordpiece_open("tests/golden/wordpiece_small.txt", &self.wordpiece),
                     JUDO_OK);
    assert_int_equal(judo_json_each_line("tests/golden/tokens_unicode.jsonl", check_row, &self),
                     JUDO_OK);
    assert_int_equal(self.rows, 396);
    judo_wordpiece_close(&self.wordpiece);
    judo_tokenizer_close(&self.bpe);
}

static void test_ranges__hold_their_ends_and_not_their_neighbours(void **state)
{
    (void)state;
    assert_true(judo_unicode_is_letter('A') && judo_unicode_is_letter('z'));
    assert_false(judo_unicode_is_letter('@') || judo_unicode_is_letter('{'));
    assert_true(judo_unicode_is_letter(0x4E00) && judo_unicode_is_letter(0x323AF));
    assert_false(judo_unicode_is_letter(0x323B0) || judo_unicode_is_letter(0x10FFFF));
    assert_true(judo_unicode_is_number('0') && judo_unicode_is_number(0x1D2D3));
    assert_false(judo_unicode_is_number('/') || judo_unicode_is_number(0x1D2D4));
    assert_true(judo_unicode_is_unordered_mark(0x8D3));
    assert_false(judo_unicode_is_unordered_mark(0x8D4));
    assert_true(judo_unicode_is_unknown_to_bert(0x61D));
    assert_false(judo_unicode_is_unknown_to_bert(0x61C));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode__equals_hugging_face_where_unicode_versions_differ),
        cmocka_unit_test(test_ranges__hold_their_ends_and_not_their_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
