/* tests/data/test_wordpiece.c: BERT's tokenizer against published vectors and by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/wordpiece.h"
#include "runtime/json.h"
#include "tests/data/folder.h"
#include "tests/data/real_data.h"
#include "tests/data/tokens.h"

/* Ids: 0 [PAD] 1 [UNK] 2 [CLS] 3 [SEP] 4 [MASK] 5 un 6 ##able 7 ##a 8 resume 9 , 10 the 11
 * U+4E2D 12 x 13 ##x */
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##able\n##a\nresume\n"
                                 ",\nthe\n\xe4\xb8\xad\nx\n##x\n";

static void assert_words(const judo_wordpiece *wordpiece, const char *text, int32_t max_tokens,
                         const int32_t *wanted, int64_t count)
{
    judo_ids ids = {0};
    assert_int_equal(judo_wordpiece_encode(wordpiece, text, strlen(text), max_tokens, &ids),
                     JUDO_OK);
    assert_ids(&ids, wanted, count);
    judo_ids_free(&ids);
}

#define EXPECT(text, max_tokens, ...)                                                          \
    assert_words(wordpiece, text, max_tokens, (const int32_t[]){__VA_ARGS__},                  \
                 sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void test_encode__cleans_splits_and_matches_greedily(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    folder_text(&folder, "vocab.txt", vocabulary);
    judo_wordpiece *wordpiece = NULL;
    assert_int_equal(judo_wordpiece_open(folder.path, &wordpiece), JUDO_OK);
    assert_int_equal(judo_wordpiece_size(wordpiece), 14);
    EXPECT("", 256, 2, 3);
    EXPECT("The Unable", 256, 2, 10, 5, 6, 3);
    EXPECT("una unb", 256, 2, 5, 7, 1, 3);
    EXPECT("R\xc3\xa9sum\xc3\xa9,the", 256, 2, 8, 9, 10, 3);
    EXPECT("re\xcc\x81sume\xcc\x81", 256, 2, 8, 3);
    EXPECT("th\xe2\x80\x8b"
           "e\x01\n\xc2\xa0the\xef\xbf\xbd",
           256, 2, 10, 10, 3);
    EXPECT("the\xe4\xb8\xadthe", 256, 2, 10, 11, 10, 3);
    EXPECT("the\xff", 256, 2, 10, 3);
    EXPECT("the[SEP]the[sep]", 256, 2, 10, 3, 10, 1, 1, 1, 3);
    EXPECT("the the the the", 4, 2, 10, 10, 3);
    EXPECT("the", 2, 2, 3);
    char word[102];
    memset(word, 'x', 101);
    word[101] = '\0';
    EXPECT(word, 256, 2, 1, 3);
    judo_ids ids = {0};
    assert_int_equal(judo_wordpiece_encode(wordpiece, word, 100, 256, &ids), JUDO_OK);
    assert_int_equal(ids.count, 102);
    assert_int_equal(judo_wordpiece_encode(wordpiece, "x", 1, 1, &ids), JUDO_ERROR_ARGUMENT);
    assert_int_equal(ids.count, 102);
    judo_ids_free(&ids);
    judo_wordpiece_close(&wordpiece);
    folder_remove(&folder);
}

static void test_open__refuses_other_vocabularies(void **state)
{
    (void)state;
    test_folder folder = folder_make();
    judo_wordpiece *wordpiece = NULL;
    const char *path = folder_text(&folder, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\nthe\n");
    assert_int_equal(judo_wordpiece_open(path, &wordpiece), JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "[SEP]"));
    path = folder_text(&folder, "vocab.txt", "[PAD]\n[UNK]\n[PAD]\n");
    assert_int_equal(judo_wordpiece_open(path, &wordpiece), JUDO_ERROR_FORMAT);
    path = folder_text(&folder, "vocab.txt", "");
    assert_int_equal(judo_wordpiece_open(path, &wordpiece), JUDO_ERROR_MISMATCH);
    assert_int_equal(judo_wordpiece_open("/nowhere/vocab.txt", &wordpiece), JUDO_ERROR_IO);
    assert_null(wordpiece);
    folder_remove(&folder);
}

static judo_wordpiece *open_bert(void)
{
    char path[1024];
    real_data_path("tokenizer/bert/vocab.txt", path, sizeof path);
    judo_wordpiece *wordpiece = NULL;
    assert_int_equal(judo_wordpiece_open(path, &wordpiece), JUDO_OK);
    return wordpiece;
}

static void check_vector(const void *wordpiece, const char *text, size_t length,
                         const judo_ids *wanted)
{
    judo_ids ids = {0};
    assert_int_equal(judo_wordpiece_encode(wordpiece, text, length, 256, &ids), JUDO_OK);
    assert_int_equal(ids.ids[0], 101);
    assert_int_equal(ids.ids[ids.count - 1], 102);
    assert_int_equal(ids.count, wanted->count + 2);
    for (int64_t i = 0; i < wanted->count; i++) {
        assert_int_equal(ids.ids[i + 1], wanted->ids[i]);
    }
    judo_ids_free(&ids);
}

static void test_encode__equals_the_published_bert_vectors(void **state)
{
    (void)state;
    judo_wordpiece *wordpiece = open_bert();
    char prefix[1024];
    real_data_path("tokenizer/bert/ggml-vocab-bert-bge.gguf.inp", prefix, sizeof prefix);
    prefix[strlen(prefix) - 4] = '\0';
    assert_int_equal(each_vector(prefix, check_vector, wordpiece), 47);
    judo_wordpiece_close(&wordpiece);
}

static void test_encode__equals_the_published_french_sample(void **state)
{
    (void)state;
    judo_wordpiece *wordpiece = open_bert();
    char path[1024];
    real_data_path("tokenizer/bert/bert_uncased_encoded.json", path, sizeof path);
    judo_json *sample = NULL;
    const char *text = NULL;
    const judo_json *wanted = NULL;
    assert_int_equal(judo_json_load(path, &sample), JUDO_OK);
    assert_int_equal(judo_json_get_string(sample, "text", path, &text), JUDO_OK);
    wanted = judo_json_get(sample, "token_ids");
    judo_ids ids = {0};
    assert_int_equal(judo_wordpiece_encode(wordpiece, text, strlen(text), 512, &ids), JUDO_OK);
    assert_int_equal(ids.count, judo_json_size(wanted));
    int64_t i = 0;
    for (const judo_json *item = judo_json_first(wanted); item != NULL;
         item = judo_json_next(item)) {
        int64_t id = -1;
        assert_int_equal(judo_json_as_int(item, path, &id), JUDO_OK);
        assert_int_equal(ids.ids[i++], id);
    }
    judo_ids_free(&ids);
    judo_json_free(&sample);
    judo_wordpiece_close(&wordpiece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode__cleans_splits_and_matches_greedily),
        cmocka_unit_test(test_open__refuses_other_vocabularies),
        cmocka_unit_test(test_encode__equals_the_published_bert_vectors),
        cmocka_unit_test(test_encode__equals_the_published_french_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
