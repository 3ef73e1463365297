/* tests/data/test_banned_ids.c: ids that a completion must never contain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/banned_ids.h"
#include "tests/data/tokens.h"

static void test_banned__are_controls_and_rows_without_a_token(void **state)
{
    (void)state;
    uint8_t *banned = NULL;
    judo_special_ids specials;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    assert_int_equal(judo_tokenizer_specials(tokenizer, &specials), JUDO_OK);
    int32_t size = judo_tokenizer_size(tokenizer);
    assert_int_equal(judo_banned_ids(tokenizer, &specials, size + 40, &banned), JUDO_OK);
    const int32_t controls[] = {specials.im_start,  specials.vision_start, specials.vision_end,
                                specials.image_pad, specials.video_pad,    size,
                                size + 39};
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        assert_int_equal(banned[controls[i]], 1);
    }
    assert_int_equal(banned[specials.im_end], 0);
    assert_int_equal(banned[specials.endoftext], 0);
    int32_t allowed = 0;
    for (int32_t id = 0; id < size; id++) {
        size_t length;
        bool is_text = judo_tokenizer_token_bytes(tokenizer, id, &length) &&
                       !judo_tokenizer_is_special(tokenizer, id);
        assert_true(!is_text || banned[id] == 0);
        allowed += banned[id] == 0;
    }
    assert_true(allowed > 256);
    free(banned);
    judo_tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_banned__are_controls_and_rows_without_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
