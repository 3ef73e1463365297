/* tests/models/test_minilm.c: the sentence encoder against transformers
 * (tests/golden/make/bert.py). JUDO_MINILM names a folder with the real weights. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/bert.h"
#include "models/minilm.h"
#include "tests/models/fixture.h"

enum { MAX_IDS = 1024, MAX_TEXTS = 16, MAX_WIDTH = JUDO_MINILM_WIDTH };

typedef struct sentences {
    int32_t ids[MAX_IDS], offsets[MAX_TEXTS + 1];
    int32_t count, width;
    float wanted[MAX_TEXTS * MAX_WIDTH];
} sentences;

static int64_t read_tensor(const judo_safetensors *file, const char *name, float *out,
                           int64_t most)
{
    const judo_safetensors_entry *entry = judo_safetensors_find(file, name);
    assert_non_null(entry);
    int64_t count;
    assert_ok(judo_dims_count(entry->dims, entry->num_dims, &count));
    assert_true(count <= most);
    assert_ok(judo_safetensors_read(file, entry, 0, count, out));
    return count;
}

static void read_sentences(const char *path, sentences *s)
{
    judo_safetensors *file = NULL;
    float ids[MAX_IDS];
    float offsets[MAX_TEXTS + 1];
    assert_ok(judo_safetensors_open(path, &file));
    int64_t num_ids = read_tensor(file, "ids", ids, MAX_IDS);
    s->count = (int32_t)read_tensor(file, "offsets", offsets, MAX_TEXTS + 1) - 1;
    int64_t values = read_tensor(file, "embeddings", s->wanted, MAX_TEXTS * MAX_WIDTH);
    s->width = (int32_t)values / s->count;
    judo_safetensors_close(&file);
    for (int64_t i = 0; i < num_ids; i++) {
        s->ids[i] = (int32_t)ids[i];
    }
    for (int32_t i = 0; i <= s->count; i++) {
        s->offsets[i] = (int32_t)offsets[i];
    }
}

static void assert_embeddings(const float *got, const sentences *s)
{
    for (int32_t text = 0; text < s->count; text++) {
        double cosine = 0.0;
        for (int32_t j = text * s->width; j < (text + 1) * s->width; j++) {
            cosine += (double)got[j] * (double)s->wanted[j];
            assert_true(fabsf(got[j] - s->wanted[j]) <= 1e-5f);
        }
        assert_true(fabs(1.0 - cosine) <= 1e-5);
    }
}

/* Of length 1, near the embeddings of fp32, but not so near that fp32 could have made them. */
static void assert_close_in_bf16(const float *got, const sentences *s)
{
    for (int32_t text = 0; text < s->count; text++) {
        double cosine = 0.0;
        double length = 0.0;
        float largest = 0.0f;
        for (int32_t j = text * s->width; j < (text + 1) * s->width; j++) {
            cosine += (double)got[j] * (double)s->wanted[j];
            length += (double)got[j] * (double)got[j];
            largest = fmaxf(largest, fabsf(got[j] - s->wanted[j]));
        }
        assert_true(fabs(1.0 - length) <= 1e-6);
        assert_true(1.0 - cosine <= 1e-3);
        assert_true(largest > 1e-5f);
    }
}

static judo_bert *open_small(judo_dtype dtype, sentences *s)
{
    judo_bert *bert = NULL;
    read_sentences("tests/golden/bert/golden.safetensors", s);
    assert_ok(judo_bert_open("tests/golden/bert", dtype, fixture_device(), &bert));
    return bert;
}

static void test_bert__agrees_with_transformers(void **state)
{
    (void)state;
    sentences s;
    float got[MAX_TEXTS * MAX_WIDTH];
    judo_bert *bert = open_small(JUDO_F32, &s);
    assert_int_equal(judo_bert_config_of(bert)->hidden_size, s.width);
    assert_ok(judo_bert_embed(bert, s.ids, s.offsets, s.count, 40, got));
    assert_embeddings(got, &s);
    judo_bert_close(&bert);
}

static void test_bert__is_close_to_fp32_in_bf16(void **state)
{
    (void)state;
    sentences s;
    float got[MAX_TEXTS * MAX_WIDTH];
    judo_bert *bert = open_small(JUDO_BF16, &s);
    assert_ok(judo_bert_embed(bert, s.ids, s.offsets, s.count, 40, got));
    assert_close_in_bf16(got, &s);
    judo_bert_close(&bert);
}

static void test_bert__refuses_other_dtypes(void **state)
{
    (void)state;
    const judo_dtype refused[] = {JUDO_F16, JUDO_I32, JUDO_U8};
    const char *const messages[] = {
        "tests/golden/bert: the encoder computes in F32 or BF16, not in F16", "not in I32",
        "not in U8"};
    for (int i = 0; i < 3; i++) {
        judo_bert *bert = NULL;
        assert_int_equal(
            judo_bert_open("tests/golden/bert", refused[i], fixture_device(), &bert),
            JUDO_ERROR_UNSUPPORTED);
        assert_non_null(strstr(judo_error_message(), messages[i]));
        assert_null(bert);
    }
}

static void gives_a_text_the_same_bits_in_any_batch(judo_dtype dtype)
{
    sentences s;
    float together[MAX_TEXTS * MAX_WIDTH];
    float alone[MAX_WIDTH];
    judo_bert *bert = open_small(dtype, &s);

    /* 40 times the five texts are more than one run of tokens. */
    enum { COPIES = 40 };

    int32_t num_ids = s.offsets[s.count];
    int32_t *ids = calloc((size_t)(COPIES * num_ids), sizeof *ids);
    int32_t *offsets = calloc((size_t)(COPIES * s.count + 1), sizeof *offsets);
    float *many = calloc((size_t)(COPIES * s.count * s.width), sizeof *many);
    assert_true(ids && offsets && many);
    for (int32_t i = 0; i < COPIES * s.count; i++) {
        offsets[i + 1] = offsets[i] + s.offsets[i % s.count + 1] - s.offsets[i % s.count];
        memcpy(ids + offsets[i], s.ids + s.offsets[i % s.count],
               (size_t)(offsets[i + 1] - offsets[i]) * sizeof *ids);
    }
    assert_ok(judo_bert_embed(bert, s.ids, s.offsets, s.count, 40, together));
    assert_ok(judo_bert_embed(bert, ids, offsets, COPIES * s.count, 40, many));
    size_t bytes = (size_t)s.width * sizeof(float);
    for (int32_t i = 0; i < COPIES * s.count; i++) {
        const float *one = together + (int64_t)(i % s.count) * s.width;
        assert_memory_equal(one, many + (int64_t)i * s.width, bytes);
    }
    for (int32_t i = 0; i < s.count; i++) {
        assert_ok(judo_bert_embed(bert, s.ids, s.offsets + i, 1, 40, alone));
        assert_memory_equal(alone, together + (int64_t)i * s.width, bytes);
    }
    free(ids);
    free(offsets);
    free(many);
    judo_bert_close(&bert);
}

static void test_bert__gives_a_text_the_same_bits_in_any_batch(void **state)
{
    (void)state;
    gives_a_text_the_same_bits_in_any_batch(JUDO_F32);
    gives_a_text_the_same_bits_in_any_batch(JUDO_BF16);
}

static void test_bert__refuses_texts_it_cannot_take(void **state)
{
    (void)state;
    sentences s;
    float got[MAX_TEXTS * MAX_WIDTH];
    judo_bert *bert = open_small(JUDO_F32, &s);
    const int32_t empty[] = {0, 0};
    const int32_t unknown = 50;
    const int32_t one[] = {0, 1};
    assert_int_equal(judo_bert_embed(bert, s.ids, s.offsets, s.count, 39, got),
                     JUDO_ERROR_ARGUMENT);
    assert_non_null(strstr(judo_error_message(), "text 4 has 40 tokens"));
    assert_int_equal(judo_bert_embed(bert, s.ids, empty, 1, 40, got), JUDO_ERROR_ARGUMENT);
    assert_int_equal(judo_bert_embed(bert, &unknown, one, 1, 40, got), JUDO_ERROR_MISMATCH);
    assert_ok(judo_bert_embed(bert, s.ids, s.offsets, 0, 40, got));
    judo_bert_close(&bert);
}

/* A folder with the small model's weights under another config.json. */
static judo_status open_with_config(const char *config)
{
    char folder[] = "/tmp/judo-bert-XXXXXX";
    char path[128];
    char weights[PATH_MAX];
    assert_non_null(mkdtemp(folder));
    assert_non_null(realpath("tests/golden/bert/model.safetensors", weights));
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_int_equal(symlink(weights, path), 0);
    char json[128];
    (void)snprintf(json, sizeof json, "%s/config.json", folder);
    FILE *file = fopen(json, "w");
    assert_non_null(file);
    assert_true(fputs(config, file) >= 0);
    assert_int_equal(fclose(file), 0);
    judo_bert *bert = NULL;
    judo_status status = judo_bert_open(folder, JUDO_F32, fixture_device(), &bert);
    judo_bert_close(&bert);
    (void)unlink(path);
    (void)unlink(json);
    (void)rmdir(folder);
    return status;
}

#define CONFIG(type, act, layers, inner, positions)                                            \
    "{\"model_type\":\"" type "\",\"hidden_act\":\"" act                                       \
    "\",\"hidden_size\":24,\"num_hidden_layers\":" layers                                      \
    ",\"num_attention_heads\":3,\"intermediate_size\":" inner                                  \
    ",\"vocab_size\":50,\"max_position_embeddings\":" positions ",\"type_vocab_size\":2}"

static void test_bert__refuses_other_models(void **state)
{
    (void)state;
    assert_ok(open_with_config(CONFIG("bert", "gelu", "2", "40", "40")));
    assert_int_equal(open_with_config(CONFIG("roberta", "gelu", "2", "40", "40")),
                     JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(open_with_config(CONFIG("bert", "gelu_new", "2", "40", "40")),
                     JUDO_ERROR_UNSUPPORTED);
    assert_int_equal(open_with_config(CONFIG("bert", "gelu", "0", "40", "40")),
                     JUDO_ERROR_FORMAT);
    assert_int_equal(open_with_config(CONFIG("bert", "gelu", "2", "41", "40")),
                     JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "intermediate.dense.weight"));
    assert_int_equal(open_with_config(CONFIG("bert", "gelu", "3", "40", "40")),
                     JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "encoder.layer.2"));
    assert_int_equal(open_with_config(CONFIG("bert", "gelu", "1", "40", "40")),
                     JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "37 tensors where"));
}

static void test_minilm__refuses_another_width(void **state)
{
    (void)state;
    judo_minilm *minilm = NULL;
    assert_int_equal(judo_minilm_open("tests/golden/bert", JUDO_F32, fixture_device(), &minilm),
                     JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "width 24"));
    assert_null(minilm);
}

/* The texts of tests/golden/minilm.safetensors, embedded by the real weights in `dtype`. */
static void embed_real(judo_dtype dtype, sentences *s, float *got)
{
    const char *folder = getenv("JUDO_MINILM");
    if (!folder) {
        skip();
    }
    judo_minilm *minilm = NULL;
    read_sentences("tests/golden/minilm.safetensors", s);
    assert_int_equal(s->width, JUDO_MINILM_WIDTH);
    assert_ok(judo_minilm_open(folder, dtype, fixture_device(), &minilm));
    assert_ok(judo_minilm_embed(minilm, s->ids, s->offsets, s->count, got));
    judo_minilm_close(&minilm);
}

static void test_minilm__agrees_with_transformers_on_the_real_weights(void **state)
{
    (void)state;
    sentences s;
    float got[MAX_TEXTS * MAX_WIDTH];
    embed_real(JUDO_F32, &s, got);
    assert_embeddings(got, &s);
}

static void test_minilm__is_close_to_fp32_in_bf16_on_the_real_weights(void **state)
{
    (void)state;
    sentences s;
    float got[MAX_TEXTS * MAX_WIDTH];
    embed_real(JUDO_BF16, &s, got);
    assert_close_in_bf16(got, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert__agrees_with_transformers),
        cmocka_unit_test(test_bert__is_close_to_fp32_in_bf16),
        cmocka_unit_test(test_bert__refuses_other_dtypes),
        cmocka_unit_test(test_bert__gives_a_text_the_same_bits_in_any_batch),
        cmocka_unit_test(test_bert__refuses_texts_it_cannot_take),
        cmocka_unit_test(test_bert__refuses_other_models),
        cmocka_unit_test(test_minilm__refuses_another_width),
        cmocka_unit_test(test_minilm__agrees_with_transformers_on_the_real_weights),
        cmocka_unit_test(test_minilm__is_close_to_fp32_in_bf16_on_the_real_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
