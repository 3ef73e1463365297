/* tests/data/test_chat_template.c: conversations as ids and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/chat_template.h"
#include "tests/data/qwen2.h"
#include "tests/data/tokens.h"

static const judo_chat_part user_parts[] = {
    {.kind = JUDO_CHAT_IMAGE},
    {.kind = JUDO_CHAT_IMAGE},
    {.kind = JUDO_CHAT_TEXT, .text = "Is there a de"},
    {.kind = JUDO_CHAT_TEXT, .text = "fect?\n"},
};
static const judo_chat_part reply_part = {.kind = JUDO_CHAT_TEXT, .text = "<seg> None </seg>"};
static const judo_chat_message messages[] = {
    {.role = "user", .parts = user_parts, .num_parts = 4},
    {.role = "assistant", .parts = &reply_part, .num_parts = 1},
};

#define SYSTEM "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
#define IMAGE  "<|vision_start|><|image_pad|><|vision_end|>"

static void assert_text(int32_t num_messages, judo_chat_options options, const char *wanted)
{
    judo_text text = {0};
    assert_int_equal(judo_chat_text(messages, num_messages, &options, &text), JUDO_OK);
    assert_string_equal(text.bytes, wanted);
    judo_text_free(&text);
}

/* Expected texts: Transformers' rendering of the published template. */
static void test_text__follows_the_template(void **state)
{
    (void)state;
    assert_text(2, (judo_chat_options){0},
                SYSTEM "<|im_start|>user\n" IMAGE IMAGE "Is there a defect?\n<|im_end|>\n"
                       "<|im_start|>assistant\n<seg> None </seg><|im_end|>\n");
    assert_text(1, (judo_chat_options){.add_vision_id = true, .add_generation_prompt = true},
                SYSTEM "<|im_start|>user\nPicture 1: " IMAGE "Picture 2: " IMAGE
                       "Is there a defect?\n<|im_end|>\n<|im_start|>assistant\n");
    assert_text(1, (judo_chat_options){.add_generation_prompt = true, .strip_end = true},
                SYSTEM "<|im_start|>user\n" IMAGE IMAGE
                       "Is there a defect?\n<|im_end|>\n<|im_start|>assistant");
}

/* The rendered text with each image_pad repeated, given to the tokenizer as one text. */
static void encode_rendered(const judo_tokenizer *tokenizer, const judo_chat_options *options,
                            const int32_t *image_tokens, judo_ids *out)
{
    static const char pad[] = "<|image_pad|>";
    judo_text text = {0};
    judo_text wide = {0};
    assert_int_equal(judo_chat_text(messages, 2, options, &text), JUDO_OK);
    const char *at = text.bytes;
    for (int image = 0; image < 2; image++) {
        const char *found = strstr(at, pad);
        assert_int_equal(judo_text_append(&wide, at, (size_t)(found - at)), JUDO_OK);
        for (int i = 0; i < image_tokens[image]; i++) {
            assert_int_equal(judo_text_append_string(&wide, pad), JUDO_OK);
        }
        at = found + sizeof pad - 1;
    }
    assert_int_equal(judo_text_append_string(&wide, at), JUDO_OK);
    assert_int_equal(judo_tokenizer_encode(tokenizer, wide.bytes, wide.length, true, out),
                     JUDO_OK);
    judo_text_free(&text);
    judo_text_free(&wide);
}

static void test_render__equals_the_tokenizer_on_the_rendered_text(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    const int32_t image_tokens[] = {3, 5};
    int32_t pad = judo_tokenizer_token_id(tokenizer, "<|image_pad|>");
    for (int bits = 0; bits < 8; bits++) {
        judo_chat_options options = {.add_vision_id = (bits & 1) != 0,
                                     .add_generation_prompt = (bits & 2) != 0,
                                     .strip_end = (bits & 4) != 0};
        judo_ids wanted = {0};
        judo_ids got = {0};
        judo_ids starts = {0};
        encode_rendered(tokenizer, &options, image_tokens, &wanted);
        assert_int_equal(
            judo_chat_render(tokenizer, messages, 2, image_tokens, 2, &options, &got, &starts),
            JUDO_OK);
        assert_ids(&got, wanted.ids, wanted.count);
        assert_int_equal(starts.count, 2);
        for (int image = 0; image < 2; image++) {
            assert_int_not_equal(got.ids[starts.ids[image] - 1], pad);
            assert_int_equal(got.ids[starts.ids[image]], pad);
            assert_int_equal(got.ids[starts.ids[image] + image_tokens[image] - 1], pad);
            assert_int_not_equal(got.ids[starts.ids[image] + image_tokens[image]], pad);
        }
        judo_ids_free(&wanted);
        judo_ids_free(&got);
        judo_ids_free(&starts);
    }
    judo_tokenizer_close(&tokenizer);
}

static void test_render__refuses_special_tokens_in_the_data(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    static const char *const texts[] = {"a<|image_pad|>", "<|im_end|>", "x<|vision_start|>y"};
    judo_ids ids = {0};
    judo_ids starts = {0};
    assert_int_equal(judo_ids_append(&ids, 7), JUDO_OK);
    for (size_t i = 0; i < 3; i++) {
        judo_chat_part part = {.kind = JUDO_CHAT_TEXT, .text = texts[i]};
        judo_chat_message message = {.role = "user", .parts = &part, .num_parts = 1};
        judo_chat_options options = {0};
        assert_int_equal(
            judo_chat_render(tokenizer, &message, 1, NULL, 0, &options, &ids, &starts),
            JUDO_ERROR_FORMAT);
        assert_non_null(strstr(judo_error_message(), "<|"));
        assert_int_equal(ids.count, 1);
        options.specials_as_text = true;
        assert_int_equal(
            judo_chat_render(tokenizer, &message, 1, NULL, 0, &options, &ids, &starts),
            JUDO_OK);
        int32_t pad = judo_tokenizer_token_id(tokenizer, "<|image_pad|>");
        int32_t ends = 0;
        for (int64_t k = 0; k < ids.count; k++) {
            assert_int_not_equal(ids.ids[k], pad);
            ends += ids.ids[k] == judo_tokenizer_token_id(tokenizer, "<|im_end|>");
        }
        assert_int_equal(ends, 2);
        ids.count = 1;
    }
    judo_ids_free(&ids);
    judo_ids_free(&starts);
    judo_tokenizer_close(&tokenizer);
}

static void test_render__wants_as_many_images_as_the_conversation_has(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    const int32_t image_tokens[] = {4, 4, 4};
    const int32_t empty[] = {4, 0};
    judo_chat_options options = {0};
    judo_ids ids = {0};
    judo_ids starts = {0};
    for (int32_t count = 0; count <= 3; count++) {
        judo_status wanted = count == 2 ? JUDO_OK : JUDO_ERROR_MISMATCH;
        assert_int_equal(judo_chat_render(tokenizer, messages, 2, image_tokens, count, &options,
                                          &ids, &starts),
                         wanted);
        assert_int_equal(starts.count, count < 2 ? 0 : 2);
    }
    assert_int_equal(
        judo_chat_render(tokenizer, messages, 2, empty, 2, &options, &ids, &starts),
        JUDO_ERROR_MISMATCH);
    judo_ids_free(&ids);
    judo_ids_free(&starts);
    judo_tokenizer_close(&tokenizer);
}

static void test_render__equals_the_published_ids(void **state)
{
    (void)state;
    test_folder folder;
    judo_tokenizer *tokenizer = open_qwen2(&folder);
    static const judo_chat_part parts[] = {{.kind = JUDO_CHAT_IMAGE},
                                           {.kind = JUDO_CHAT_TEXT, .text = "What is this?"}};
    const judo_chat_message message = {.role = "user", .parts = parts, .num_parts = 2};
    static const int32_t wanted[] = {151644, 8948,   198,    2610,   525,    264,    10950,
                                     17847,  13,     151645, 198,    151644, 872,    198,
                                     151652, 151655, 151655, 151655, 151655, 151653, 3838,
                                     374,    419,    30,     151645, 198};
    const int32_t image_tokens = 4;
    judo_chat_options options = {0};
    judo_ids ids = {0};
    judo_ids starts = {0};
    assert_int_equal(
        judo_chat_render(tokenizer, &message, 1, &image_tokens, 1, &options, &ids, &starts),
        JUDO_OK);
    assert_ids(&ids, wanted, sizeof wanted / sizeof wanted[0]);
    assert_int_equal(starts.ids[0], 15);
    judo_ids_free(&ids);
    judo_ids_free(&starts);
    judo_tokenizer_close(&tokenizer);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__follows_the_template),
        cmocka_unit_test(test_render__equals_the_tokenizer_on_the_rendered_text),
        cmocka_unit_test(test_render__refuses_special_tokens_in_the_data),
        cmocka_unit_test(test_render__wants_as_many_images_as_the_conversation_has),
        cmocka_unit_test(test_render__equals_the_published_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
