/* tests/data/test_tokenizer_files.c: tokenizers that are malformed, unsupported, or trained and
 * written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/bpe_train.h"
#include "data/byte_alphabet.h"
#include "runtime/random.h"
#include "tests/data/folder.h"
#include "tests/data/tokens.h"

/* The first occurrence of `from` replaced; the text must contain it. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    judo_text out = {0};
    assert_int_equal(judo_text_append(&out, text, (size_t)(at - text)), JUDO_OK);
    assert_int_equal(judo_text_append_string(&out, to), JUDO_OK);
    assert_int_equal(judo_text_append_string(&out, at + strlen(from)), JUDO_OK);
    return out.bytes;
}

static char *golden(size_t *length)
{
    char *text = NULL;
    assert_int_equal(
        judo_file_read_all(SMALL_TOKENIZER "/tokenizer.json", 1 << 20, &text, length), JUDO_OK);
    return text;
}

/* Changes to the golden file, and what opening it then says. */
static const struct {
    const char *from, *to;
    judo_status status;
} hostile[] = {
    {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", JUDO_ERROR_UNSUPPORTED},
    {"\"type\":\"BPE\"", "\"type\":7", JUDO_ERROR_UNSUPPORTED},
    {"\"byte_fallback\":false", "\"byte_fallback\":true", JUDO_ERROR_UNSUPPORTED},
    {"\"ignore_merges\":false", "\"ignore_merges\":1", JUDO_ERROR_FORMAT},
    {"\"dropout\":null", "\"dropout\":0.5", JUDO_ERROR_UNSUPPORTED},
    {"\"type\":\"NFC\"", "\"type\":\"NFKC\"", JUDO_ERROR_UNSUPPORTED},
    {"|\\\\p{N}|", "|\\\\p{N}{1,3}|", JUDO_ERROR_UNSUPPORTED},
    {"\"Isolated\"", "\"Removed\"", JUDO_ERROR_UNSUPPORTED},
    {"\"lstrip\":false", "\"lstrip\":true", JUDO_ERROR_UNSUPPORTED},
    {"\"id\":500", "\"id\":501", JUDO_ERROR_FORMAT}, /* shared by two */
    {"\"id\":521", "\"id\":522", JUDO_ERROR_FORMAT}, /* a hole */
    {"\"id\":521", "\"id\":-1", JUDO_ERROR_FORMAT},
    {"\"id\":521", "\"id\":1e30", JUDO_ERROR_FORMAT},
    {"\"id\":500", "\"id\":3", JUDO_ERROR_FORMAT}, /* another token's */
    {"\"a\":64", "\"a\":65", JUDO_ERROR_FORMAT},
    {"\"a\":64", "\"a\":500", JUDO_ERROR_FORMAT},
    {"\"a\":64", "\"a\":-1", JUDO_ERROR_FORMAT},
    {"\"a\":64", "\"a\":0.5", JUDO_ERROR_FORMAT},
    {"\"a\":64", "\"a\":\"64\"", JUDO_ERROR_FORMAT},
    {"\"a\":64", "\"\":64", JUDO_ERROR_FORMAT},     /* empty token */
    {"\"a\":64", "\"zzzz\":64", JUDO_ERROR_FORMAT}, /* a byte is missing */
    {"\"merges\":[[", "\"merges\":[[\"a\",\"QQ\"],[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[[\"Q\",\"Q\"],[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[[\"a\",\"\"],[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[[\"a\"],[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[\"a\",[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[\"a b c\",[", JUDO_ERROR_FORMAT},
    {"\"merges\":[[", "\"merges\":[7,[", JUDO_ERROR_FORMAT},
    {"\"merges\":", "\"mergers\":", JUDO_ERROR_FORMAT},
    {"\"vocab\":{", "\"vocab\":{},\"old\":{", JUDO_ERROR_FORMAT},
    {"\"vocab\":{", "\"vocab\":[],\"old\":{", JUDO_ERROR_FORMAT},
    {"\"added_tokens\":[", "\"added_tokens\":{},\"old\":[", JUDO_ERROR_FORMAT},
    {"\"model\":{", "\"modell\":{", JUDO_ERROR_UNSUPPORTED},
};

static void test_open__refuses_what_it_would_tokenise_differently(void **state)
{
    (void)state;

    test_folder folder = folder_make();
    size_t length = 0;
    char *text = golden(&length);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        char *changed = replaced(text, hostile[i].from, hostile[i].to);
        folder_text(&folder, "tokenizer.json", changed);
        judo_tokenizer *tokenizer = NULL;
        judo_status status = judo_tokenizer_open(folder.path, &tokenizer);
        if (status != hostile[i].status) {
            print_message("case %zu (%s): %s\n", i, hostile[i].to, judo_error_message());
        }
        assert_int_equal(status, hostile[i].status);
        assert_null(tokenizer);
        assert_non_null(strstr(judo_error_message(), "tokenizer.json"));
        free(changed);
    }
    free(text);
    folder_remove(&folder);
}

#define BYTE_LEVEL_POST "\"post_processor\":{\"type\":\"ByteLevel\""
#define TEMPLATE_POST   "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":"

static void test_open__takes_the_template_that_adds_nothing(void **state)
{
    (void)state;

    static const struct {
        const char *post;
        judo_status status;
    } rows[] = {
        {TEMPLATE_POST "[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]", JUDO_OK},
        {TEMPLATE_POST "[{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"x\"}}]",
         JUDO_ERROR_UNSUPPORTED},
        {TEMPLATE_POST "[{\"SpecialToken\":{\"id\":\"x\"}}]", JUDO_ERROR_UNSUPPORTED},
        {TEMPLATE_POST "7", JUDO_ERROR_UNSUPPORTED},
    };

    test_folder folder = folder_make();
    size_t length = 0;
    char *text = golden(&length);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *changed = replaced(text, BYTE_LEVEL_POST, rows[i].post);
        folder_text(&folder, "tokenizer.json", changed);
        judo_tokenizer *tokenizer = NULL;
        assert_int_equal(judo_tokenizer_open(folder.path, &tokenizer), rows[i].status);
        judo_tokenizer_close(&tokenizer);
        free(changed);
    }
    free(text);
    folder_remove(&folder);
}

static void test_open__survives_truncated_and_flipped_files(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    size_t length = 0;
    char *text = golden(&length);
    const char *path = folder_path(&folder, "tokenizer.json");
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t at = judo_random_below(1, JUDO_STREAM_TEST, round, 0, 0, (uint32_t)length);
        char saved = text[at];
        text[at] = (char)judo_random_below(1, JUDO_STREAM_TEST, round, 1, 0, 256);
        size_t kept = round % 2 == 0 ? length : at + 1;
        assert_int_equal(judo_file_replace(path, text, kept), JUDO_OK);
        text[at] = saved;
        judo_tokenizer *tokenizer = NULL;
        if (judo_tokenizer_open(folder.path, &tokenizer) == JUDO_OK) {
            judo_ids ids = {0};
            assert_int_equal(judo_tokenizer_encode(tokenizer, text, 500, true, &ids), JUDO_OK);
            judo_ids_free(&ids);
        }
        judo_tokenizer_close(&tokenizer);
    }
    free(text);
    folder_remove(&folder);
}

static void test_open__names_the_folder_without_a_tokenizer(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    judo_tokenizer *tokenizer = NULL;
    assert_int_equal(judo_tokenizer_open(folder.path, &tokenizer), JUDO_ERROR_IO);
    assert_non_null(strstr(judo_error_message(), folder.path));
    folder_remove(&folder);
}

static void test_specials__a_missing_one_is_named(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    size_t length = 0;
    char *text = golden(&length);
    char *changed = replaced(text, "<|image_pad|>", "<|image_bad|>");
    folder_text(&folder, "tokenizer.json", changed);
    judo_tokenizer *tokenizer = open_tokenizer(folder.path);
    judo_special_ids specials;
    assert_int_equal(judo_tokenizer_specials(tokenizer, &specials), JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "<|image_pad|>"));
    assert_non_null(strstr(judo_error_message(), "tokenizer.json"));
    judo_tokenizer_close(&tokenizer);
    free(text);
    free(changed);
    folder_remove(&folder);
}

/* Trains on the golden corpus, whose parts are separated by a marker, in either order. */
static judo_bpe_trained train(int32_t vocab_size, bool backwards)
{
    char *corpus = NULL;
    size_t length = 0;
    assert_int_equal(
        judo_file_read_all(SMALL_TOKENIZER "/corpus.txt", 1 << 20, &corpus, &length), JUDO_OK);
    const char *parts[64];
    int count = 0;
    static const char marker[] = "\n<<>>\n";
    for (char *at = corpus; at != NULL; count++) {
        parts[count] = at;
        at = strstr(at, marker);
        if (at != NULL) {
            *at = '\0';
            at += sizeof marker - 1;
        }
    }
    judo_bpe_trainer *trainer = NULL;
    judo_bpe_trained trained = {0};
    assert_int_equal(judo_bpe_trainer_open(&trainer), JUDO_OK);
    for (int i = 0; i < count; i++) {
        const char *part = parts[backwards ? count - 1 - i : i];
        assert_int_equal(judo_bpe_trainer_add(trainer, part, strlen(part)), JUDO_OK);
    }
    assert_int_equal(judo_bpe_trainer_run(trainer, vocab_size, &trained), JUDO_OK);
    judo_bpe_trainer_close(&trainer);
    free(corpus);
    return trained;
}

static void test_training__finds_the_tokens_that_hugging_face_finds(void **state)
{
    (void)state;
    judo_tokenizer *peer = open_tokenizer(SMALL_TOKENIZER);
    for (int backwards = 0; backwards < 2; backwards++) {
        judo_bpe_trained trained = train(500, backwards == 1);
        assert_int_equal(trained.tokens.count, 500);
        for (int32_t id = 0; id < 500; id++) {
            size_t length = 0;
            size_t peer_length = 0;
            const char *bytes = judo_byte_table_get(&trained.tokens, id, &length);
            const char *peer_bytes = judo_tokenizer_token_bytes(peer, id, &peer_length);
            assert_int_equal(length, peer_length);
            assert_memory_equal(bytes, peer_bytes, length);
        }
        judo_bpe_trained_free(&trained);
    }
    judo_tokenizer_close(&peer);
}

static void test_training__ends_when_no_pair_occurs_twice(void **state)
{
    (void)state;
    judo_bpe_trained trained = train(1 << 20, false);
    assert_true(trained.tokens.count > 500 && trained.tokens.count < 2000);
    judo_bpe_trained_free(&trained);
    judo_bpe_trainer *trainer = NULL;
    assert_int_equal(judo_bpe_trainer_open(&trainer), JUDO_OK);
    assert_int_equal(judo_bpe_trainer_add(trainer,
                                          "\xff"
                                          "ab\xff",
                                          4),
                     JUDO_OK);
    assert_int_equal(judo_bpe_trainer_run(trainer, 255, &trained), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_bpe_trainer_run(trainer, 300, &trained), JUDO_OK);
    assert_int_equal(trained.tokens.count, 256);
    judo_bpe_trained_free(&trained);
    judo_bpe_trainer_close(&trainer);
}

static void encode_corpus(const judo_tokenizer *tokenizer, judo_ids *out)
{
    char *corpus = NULL;
    size_t length = 0;
    assert_int_equal(
        judo_file_read_all(SMALL_TOKENIZER "/corpus.txt", 1 << 20, &corpus, &length), JUDO_OK);
    assert_int_equal(judo_tokenizer_encode(tokenizer, corpus, length, true, out), JUDO_OK);
    assert_int_equal(judo_tokenizer_encode(tokenizer, "<|im_end|>\n<tool_call>", 22, true, out),
                     JUDO_OK);
    free(corpus);
}

static void test_write__both_layouts_load_as_the_same_tokenizer(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    judo_bpe_trained trained = train(500, false);
    assert_int_equal(judo_tokenizer_write(folder.path, &trained), JUDO_OK);
    judo_bpe_trained_free(&trained);
    judo_ids wanted = {0};
    judo_ids got = {0};
    judo_tokenizer *tokenizer = open_tokenizer(SMALL_TOKENIZER);
    encode_corpus(tokenizer, &wanted);
    judo_tokenizer_close(&tokenizer);
    for (int layout = 0; layout < 2; layout++) {
        tokenizer = open_tokenizer(folder.path);
        judo_special_ids specials;
        assert_int_equal(judo_tokenizer_specials(tokenizer, &specials), JUDO_OK);
        assert_int_equal(judo_tokenizer_size(tokenizer), 500 + JUDO_QWEN_ADDED_TOKENS);
        judo_ids_clear(&got);
        encode_corpus(tokenizer, &got);
        assert_ids(&got, wanted.ids, wanted.count);
        judo_tokenizer_close(&tokenizer);
        (void)remove(folder_path(&folder, "tokenizer.json"));
    }
    judo_ids_free(&wanted);
    judo_ids_free(&got);
    folder_remove(&folder);
}

static void test_merges_file__bad_lines_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"a", "a b c", " a", "a ", "a QQQ", "Q Q"};
    test_folder folder = folder_make();
    judo_bpe_trained trained = train(300, false);
    assert_int_equal(judo_tokenizer_write(folder.path, &trained), JUDO_OK);
    judo_bpe_trained_free(&trained);
    (void)remove(folder_path(&folder, "tokenizer.json"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        folder_text(&folder, "merges.txt", bad[i]);
        judo_tokenizer *tokenizer = NULL;
        assert_int_equal(judo_tokenizer_open(folder.path, &tokenizer), JUDO_ERROR_FORMAT);
        assert_non_null(strstr(judo_error_message(), "merges.txt"));
    }
    folder_remove(&folder);
}

static void test_byte_alphabet__is_one_to_one(void **state)
{
    (void)state;
    bool seen[256] = {false};
    int32_t previous = 0;
    for (int rank = 0; rank < 256; rank++) {
        unsigned char byte = judo_byte_at(rank);
        int32_t point = judo_byte_to_point(byte);
        assert_false(seen[byte]);
        seen[byte] = true;
        assert_true(point > previous);
        assert_int_equal(judo_point_to_byte(point), byte);
        previous = point;
    }
    assert_int_equal(judo_byte_to_point(' '), 0x120);
    assert_int_equal(judo_byte_to_point('\n'), 0x10A);
    assert_int_equal(judo_point_to_byte(' '), -1);
    assert_int_equal(judo_point_to_byte(0x144), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__refuses_what_it_would_tokenise_differently),
        cmocka_unit_test(test_open__takes_the_template_that_adds_nothing),
        cmocka_unit_test(test_open__survives_truncated_and_flipped_files),
        cmocka_unit_test(test_open__names_the_folder_without_a_tokenizer),
        cmocka_unit_test(test_specials__a_missing_one_is_named),
        cmocka_unit_test(test_training__finds_the_tokens_that_hugging_face_finds),
        cmocka_unit_test(test_training__ends_when_no_pair_occurs_twice),
        cmocka_unit_test(test_write__both_layouts_load_as_the_same_tokenizer),
        cmocka_unit_test(test_merges_file__bad_lines_are_named),
        cmocka_unit_test(test_byte_alphabet__is_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
