/* tests/data/test_tokenizer.c: the BPE tokenizer against Hugging Face's and llama.cpp's
 * vectors, round trips, stray bytes, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "data/unicode.h"
#include "runtime/json.h"
#include "runtime/random.h"
#include "tests/data/qwen2.h"
#include "tests/data/tokens.h"

/* The bytes of a vector's text. */
static void vector_text(const judo_json *row, judo_text *text)
{
    judo_text_clear(text);
    const judo_json *item = judo_json_first(judo_json_get(row, "bytes"));
    for (; item != NULL; item = judo_json_next(item)) {
        int64_t value = 0;
        assert_int_equal(judo_json_as_int(item, "vector", &value), JUDO_OK);
        char byte = (char)(unsigned char)value;
        assert_int_equal(judo_text_append(text, &byte, 1), JUDO_OK);
    }
}

static judo_status check_row(void *context, const judo_json *row, int64_t line)
{
    judo_text text = {0};
    judo_ids wanted = {0};
    vector_text(row, &text);
    const judo_json *item = judo_json_first(judo_json_get(row, "ids"));
    for (; item != NULL; item = judo_json_next(item)) {
        int64_t id = -1;
        JUDO_TRY(judo_json_as_int(item, "vector", &id));
        JUDO_TRY(judo_ids_append(&wanted, (int32_t)id));
    }
    judo_ids got = {0};
    JUDO_TRY(judo_tokenizer_encode(context, text.bytes, text.length, true, &got));
    if (got.count != wanted.count) {
        print_message("line %lld\n", (long long)line);
    }
    assert_ids(&got, wanted.ids, wanted.count);
    judo_text_free(&text);
    judo_ids_free(&wanted);
    judo_ids_free(&got);
    return JUDO_OK;
}

static void test_encode__equals_hugging_face_on_golden_texts(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    assert_int_equal(
        judo_json_each_line(SMALL_TOKENIZER "/vectors.jsonl", check_row, tokenizer), JUDO_OK);
    judo_tokenizer_close(&tokenizer);
}

static void check_vector(const void *tokenizer, const char *text, size_t length,
                         const judo_ids *ids)
{
    assert_encodes(tokenizer, text, length, ids->ids, ids->count);
}

static void test_encode__equals_the_published_qwen2_vectors(void **state)
{
    (void)state;
    test_folder folder;
    judo_tokenizer *tokenizer = open_qwen2(&folder);
    char prefix[1024];
    real_data_path("tokenizer/qwen2/ggml-vocab-qwen2.gguf.inp", prefix, sizeof prefix);
    prefix[strlen(prefix) - 4] = '\0';
    assert_int_equal(each_vector(prefix, check_vector, tokenizer), 47);
    static const int32_t seg[] = {27, 14607, 29};
    assert_encodes(tokenizer, "<seg>", 5, seg, 3);
    judo_special_ids specials = {0};
    assert_int_equal(judo_tokenizer_specials(tokenizer, &specials), JUDO_OK);
    assert_int_equal(specials.endoftext, 151643);
    assert_int_equal(specials.im_end, 151645);
    assert_int_equal(specials.image_pad, 151655);
    assert_false(judo_tokenizer_is_special(tokenizer, 151657)); /* <tool_call> */
    assert_int_equal(judo_tokenizer_size(tokenizer), 151665);
    judo_tokenizer_close(&tokenizer);
    folder_remove(&folder);
}

/* A text of random code points from several blocks. */
static void random_text(uint32_t round, judo_text *text)
{
    static const int32_t blocks[][2] = {{0x20, 0x7E},     {0, 0x24F},       {0x300, 0x36F},
                                        {0x900, 0x97F},   {0x1100, 0x11FF}, {0x2000, 0x206F},
                                        {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3}, {0x1F300, 0x1FAFF}};
    judo_text_clear(text);
    uint32_t length = judo_random_below(3, JUDO_STREAM_TEST, round, 0, 0, 60);
    uint32_t first = judo_random_below(3, JUDO_STREAM_TEST, round, 0, 1, 9);
    for (uint32_t i = 0; i < length; i++) {
        uint32_t pick = judo_random_below(3, JUDO_STREAM_TEST, round, i, 2, 3);
        const int32_t *block = blocks[(first + pick) % 9];
        uint32_t span = (uint32_t)(block[1] - block[0] + 1);
        int32_t point =
            block[0] + (int32_t)judo_random_below(3, JUDO_STREAM_TEST, round, i, 3, span);
        assert_int_equal(judo_utf8_append(text, point), JUDO_OK);
    }
}

static void test_decode__gives_back_the_normalised_text(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    judo_text text = {0};
    judo_text normal = {0};
    judo_text back = {0};
    judo_ids ids = {0};
    judo_ids points = {0};
    for (uint32_t round = 0; round < 2000; round++) {
        random_text(round, &text);
        judo_text_clear(&normal);
        judo_text_clear(&back);
        judo_ids_clear(&ids);
        assert_int_equal(judo_unicode_compose(text.bytes, text.length, &points, &normal),
                         JUDO_OK);
        assert_int_equal(judo_tokenizer_encode(tokenizer, text.bytes, text.length, true, &ids),
                         JUDO_OK);
        assert_int_equal(judo_tokenizer_decode(tokenizer, ids.ids, ids.count, false, &back),
                         JUDO_OK);
        assert_int_equal(back.length, normal.length);
        if (back.length > 0) {
            assert_memory_equal(back.bytes, normal.bytes, back.length);
        }
    }
    judo_text_free(&text);
    judo_text_free(&normal);
    judo_text_free(&back);
    judo_ids_free(&ids);
    judo_ids_free(&points);
    judo_tokenizer_close(&tokenizer);
}

static void test_encode__keeps_bytes_that_are_not_utf8(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    static const char text[] = "ab\xff\xc3 \xed\xa0\x80\xe2\x82";
    judo_ids ids = {0};
    judo_text back = {0};
    assert_int_equal(judo_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &ids),
                     JUDO_OK);
    assert_int_equal(judo_tokenizer_decode(tokenizer, ids.ids, ids.count, false, &back),
                     JUDO_OK);
    assert_int_equal(back.length, sizeof text - 1);
    assert_memory_equal(back.bytes, text, sizeof text - 1);
    judo_ids_free(&ids);
    judo_text_free(&back);
    judo_tokenizer_close(&tokenizer);
}

static void test_special_tokens__are_text_when_not_asked_for(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    static const char text[] = "<tool_call>a<|im_end|>";
    judo_ids ids = {0};
    judo_text back = {0};
    assert_int_equal(judo_tokenizer_encode(tokenizer, text, sizeof text - 1, false, &ids),
                     JUDO_OK);
    assert_int_equal(ids.ids[0], judo_tokenizer_token_id(tokenizer, "<tool_call>"));
    int32_t im_end = judo_tokenizer_token_id(tokenizer, "<|im_end|>");
    assert_true(im_end >= 0);
    for (int64_t i = 0; i < ids.count; i++) {
        assert_int_not_equal(ids.ids[i], im_end);
    }
    judo_ids_clear(&ids);
    assert_int_equal(judo_tokenizer_encode(tokenizer, text, sizeof text - 1, true, &ids),
                     JUDO_OK);
    assert_int_equal(ids.ids[ids.count - 1], im_end);
    assert_int_equal(judo_tokenizer_decode(tokenizer, ids.ids, ids.count, true, &back),
                     JUDO_OK);
    assert_string_equal(back.bytes, "<tool_call>a");
    judo_ids_free(&ids);
    judo_text_free(&back);
    judo_tokenizer_close(&tokenizer);
}

static void test_decode__ids_of_padding_rows_stand_for_nothing(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    judo_text back = {0};
    size_t length = 1;
    int32_t ids[] = {judo_tokenizer_token_id(tokenizer, "a"), 100000};
    assert_int_equal(judo_tokenizer_decode(tokenizer, ids, 2, false, &back), JUDO_OK);
    assert_string_equal(back.bytes, "a");
    ids[1] = -1;
    assert_int_equal(judo_tokenizer_decode(tokenizer, ids, 2, false, &back),
                     JUDO_ERROR_ARGUMENT);
    assert_string_equal(back.bytes, "a");
    assert_null(judo_tokenizer_token_bytes(tokenizer, 100000, &length));
    assert_int_equal(length, 0);
    assert_int_equal(judo_tokenizer_token_id(tokenizer, "no such token"), -1);
    judo_text_free(&back);
    judo_tokenizer_close(&tokenizer);
}

static void test_long_runs__take_linear_time(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    static const char *const units[] = {"x", " ", " \n", "\xcc\xa3\xcc\x81", "!", "<|im_"};
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        judo_text text = {0};
        judo_ids ids = {0};
        for (int i = 0; i < 100000; i++) {
            assert_int_equal(judo_text_append_string(&text, units[u]), JUDO_OK);
        }
        assert_int_equal(judo_tokenizer_encode(tokenizer, text.bytes, text.length, true, &ids),
                         JUDO_OK);
        judo_text_free(&text);
        judo_ids_free(&ids);
    }
    judo_tokenizer_close(&tokenizer);
}

static void *encode_often(void *tokenizer)
{
    for (int i = 0; i < 20; i++) {
        if (judo_json_each_line(SMALL_TOKENIZER "/vectors.jsonl", check_row, tokenizer) !=
            JUDO_OK) {
            return tokenizer;
        }
    }
    return NULL;
}

static void test_encode__runs_in_several_threads(void **state)
{
    (void)state;
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, tokenizer), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *failed = tokenizer;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    judo_tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode__equals_hugging_face_on_golden_texts),
        cmocka_unit_test(test_encode__equals_the_published_qwen2_vectors),
        cmocka_unit_test(test_decode__gives_back_the_normalised_text),
        cmocka_unit_test(test_encode__keeps_bytes_that_are_not_utf8),
        cmocka_unit_test(test_special_tokens__are_text_when_not_asked_for),
        cmocka_unit_test(test_decode__ids_of_padding_rows_stand_for_nothing),
        cmocka_unit_test(test_long_runs__take_linear_time),
        cmocka_unit_test(test_encode__runs_in_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
