/* data/tokenizer_write.c: a trained vocabulary as the files of a Qwen2.5-VL model folder. */
#include <stdio.h>

#include "data/bpe_train.h"
#include "data/byte_alphabet.h"
#include "data/chat_template.h"
#include "data/pretokenize.h"
#include "runtime/file.h"
#include "runtime/json.h"

/* Qwen2.5's added tokens in the order of their ids. */
static const struct {
    const char *content;
    bool special;
} added_tokens[JUDO_QWEN_ADDED_TOKENS] = {
    {"<|endoftext|>", true},        {"<|im_start|>", true},       {"<|im_end|>", true},
    {"<|object_ref_start|>", true}, {"<|object_ref_end|>", true}, {"<|box_start|>", true},
    {"<|box_end|>", true},          {"<|quad_start|>", true},     {"<|quad_end|>", true},
    {"<|vision_start|>", true},     {"<|vision_end|>", true},     {"<|vision_pad|>", true},
    {"<|image_pad|>", true},        {"<|video_pad|>", true},      {"<tool_call>", false},
    {"</tool_call>", false},        {"<|fim_prefix|>", false},    {"<|fim_middle|>", false},
    {"<|fim_suffix|>", false},      {"<|fim_pad|>", false},       {"<|repo_name|>", false},
    {"<|file_sep|>", false},
};

enum { FIRST_EXTRA = 1, LAST_EXTRA = 13 }; /* <|im_start|> .. <|video_pad|> */

/* Token `id` in the byte alphabet. */
static judo_status visible(const judo_bpe_trained *trained, int32_t id, judo_text *out)
{
    size_t length = 0;
    const char *bytes = judo_byte_table_get(&trained->tokens, id, &length);
    judo_text_clear(out);
    return judo_byte_alphabet_write(bytes, length, out);
}

static judo_status put_vocabulary(judo_json_writer *w, const char *key,
                                  const judo_bpe_trained *trained)
{
    judo_text token = {0};
    judo_status status = JUDO_OK;
    judo_json_begin_object(w, key);
    for (int32_t id = 0; id < trained->tokens.count && status == JUDO_OK; id++) {
        status = visible(trained, id, &token);
        if (status == JUDO_OK) {
            judo_json_put_int(w, token.bytes, id);
        }
    }
    judo_json_end_object(w);
    judo_text_free(&token);
    return status;
}

/* Merge `rank` as "left right". */
static judo_status write_merge(const judo_bpe_trained *trained, int64_t rank, judo_text *out)
{
    judo_text right = {0};
    JUDO_TRY(visible(trained, trained->merges.ids[2 * rank], out));
    judo_status status = visible(trained, trained->merges.ids[2 * rank + 1], &right);
    if (status == JUDO_OK) {
        status = judo_text_append_format(out, " %s", right.bytes);
    }
    judo_text_free(&right);
    return status;
}

static judo_status put_merges(judo_json_writer *w, const judo_bpe_trained *trained)
{
    judo_text line = {0};
    judo_status status = JUDO_OK;
    judo_json_begin_array(w, "merges");
    for (int64_t rank = 0; rank < trained->merges.count / 2 && status == JUDO_OK; rank++) {
        status = write_merge(trained, rank, &line);
        if (status == JUDO_OK) {
            judo_json_put_string(w, NULL, line.bytes);
        }
    }
    judo_json_end_array(w);
    judo_text_free(&line);
    return status;
}

static void put_added_members(judo_json_writer *w, int index)
{
    judo_json_put_string(w, "content", added_tokens[index].content);
    judo_json_put_bool(w, "single_word", false);
    judo_json_put_bool(w, "lstrip", false);
    judo_json_put_bool(w, "rstrip", false);
    judo_json_put_bool(w, "normalized", false);
    judo_json_put_bool(w, "special", added_tokens[index].special);
}

static void put_byte_level(judo_json_writer *w, const char *key)
{
    judo_json_begin_object(w, key);
    judo_json_put_string(w, "type", "ByteLevel");
    judo_json_put_bool(w, "add_prefix_space", false);
    judo_json_put_bool(w, "trim_offsets", false);
    judo_json_put_bool(w, "use_regex", false);
    judo_json_end_object(w);
}

static void put_pipeline(judo_json_writer *w)
{
    judo_json_begin_object(w, "normalizer");
    judo_json_put_string(w, "type", "NFC");
    judo_json_end_object(w);
    judo_json_begin_object(w, "pre_tokenizer");
    judo_json_put_string(w, "type", "Sequence");
    judo_json_begin_array(w, "pretokenizers");
    judo_json_begin_object(w, NULL);
    judo_json_put_string(w, "type", "Split");
    judo_json_begin_object(w, "pattern");
    judo_json_put_string(w, "Regex", JUDO_SPLIT_PATTERN);
    judo_json_end_object(w);
    judo_json_put_string(w, "behavior", "Isolated");
    judo_json_put_bool(w, "invert", false);
    judo_json_end_object(w);
    put_byte_level(w, NULL);
    judo_json_end_array(w);
    judo_json_end_object(w);
    put_byte_level(w, "post_processor");
    put_byte_level(w, "decoder");
}

static judo_status put_tokenizer(judo_json_writer *w, const judo_bpe_trained *trained)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_string(w, "version", "1.0");
    judo_json_put_null(w, "truncation");
    judo_json_put_null(w, "padding");
    judo_json_begin_array(w, "added_tokens");
    for (int i = 0; i < JUDO_QWEN_ADDED_TOKENS; i++) {
        judo_json_begin_object(w, NULL);
        judo_json_put_int(w, "id", trained->tokens.count + i);
        put_added_members(w, i);
        judo_json_end_object(w);
    }
    judo_json_end_array(w);
    put_pipeline(w);
    judo_json_begin_object(w, "model");
    judo_json_put_string(w, "type", "BPE");
    judo_json_put_null(w, "dropout");
    judo_json_put_null(w, "unk_token");
    judo_json_put_string(w, "continuing_subword_prefix", "");
    judo_json_put_string(w, "end_of_word_suffix", "");
    judo_json_put_bool(w, "fuse_unk", false);
    judo_json_put_bool(w, "byte_fallback", false);
    judo_json_put_bool(w, "ignore_merges", false);
    JUDO_TRY(put_vocabulary(w, "vocab", trained));
    JUDO_TRY(put_merges(w, trained));
    judo_json_end_object(w);
    judo_json_end_object(w);
    return JUDO_OK;
}

static judo_status put_config(judo_json_writer *w, const judo_bpe_trained *trained)
{
    judo_json_begin_object(w, NULL);
    judo_json_put_bool(w, "add_bos_token", false);
    judo_json_put_bool(w, "add_prefix_space", false);
    judo_json_begin_object(w, "added_tokens_decoder");
    for (int i = 0; i < JUDO_QWEN_ADDED_TOKENS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", trained->tokens.count + i);
        judo_json_begin_object(w, id);
        put_added_members(w, i);
        judo_json_end_object(w);
    }
    judo_json_end_object(w);
    judo_json_begin_array(w, "additional_special_tokens");
    for (int i = FIRST_EXTRA; i <= LAST_EXTRA; i++) {
        judo_json_put_string(w, NULL, added_tokens[i].content);
    }
    judo_json_end_array(w);
    judo_json_put_null(w, "bos_token");
    judo_json_put_string(w, "chat_template", judo_chat_template_source);
    judo_json_put_bool(w, "clean_up_tokenization_spaces", false);
    judo_json_put_string(w, "eos_token", "<|im_end|>");
    judo_json_put_string(w, "errors", "replace");
    judo_json_put_int(w, "model_max_length", 131072);
    judo_json_put_string(w, "pad_token", "<|endoftext|>");
    judo_json_put_bool(w, "split_special_tokens", false);
    judo_json_put_string(w, "tokenizer_class", "Qwen2Tokenizer");
    judo_json_put_null(w, "unk_token");
    judo_json_end_object(w);
    return JUDO_OK;
}

static judo_status put_vocab_file(judo_json_writer *w, const judo_bpe_trained *trained)
{
    return put_vocabulary(w, NULL, trained);
}

static judo_status write_json(const char *folder, const char *name,
                              judo_status (*put)(judo_json_writer *, const judo_bpe_trained *),
                              const judo_bpe_trained *trained)
{
    judo_json_writer w = {0};
    judo_text path = {0};
    judo_status status = judo_text_append_format(&path, "%s/%s", folder, name);
    if (status == JUDO_OK) {
        status = put(&w, trained);
    }
    if (status == JUDO_OK) {
        status = judo_json_writer_check(&w);
    }
    if (status == JUDO_OK) {
        status = judo_file_replace(path.bytes, w.text, w.length);
    }
    judo_json_writer_free(&w);
    judo_text_free(&path);
    return status;
}

static judo_status write_merges_file(const char *folder, const judo_bpe_trained *trained)
{
    judo_text path = {0};
    judo_text lines = {0};
    judo_text line = {0};
    judo_status status = judo_text_append_format(&path, "%s/merges.txt", folder);
    if (status == JUDO_OK) {
        status = judo_text_append_string(&lines, "#version: 0.2\n");
    }
    for (int64_t rank = 0; rank < trained->merges.count / 2 && status == JUDO_OK; rank++) {
        status = write_merge(trained, rank, &line);
        if (status == JUDO_OK) {
            status = judo_text_append_format(&lines, "%s\n", line.bytes);
        }
    }
    if (status == JUDO_OK) {
        status = judo_file_replace(path.bytes, lines.bytes, lines.length);
    }
    judo_text_free(&path);
    judo_text_free(&lines);
    judo_text_free(&line);
    return status;
}

judo_status judo_tokenizer_write(const char *folder, const judo_bpe_trained *trained)
{
    JUDO_TRY(write_json(folder, "vocab.json", put_vocab_file, trained));
    JUDO_TRY(write_merges_file(folder, trained));
    JUDO_TRY(write_json(folder, "tokenizer_config.json", put_config, trained));
    return write_json(folder, "tokenizer.json", put_tokenizer, trained);
}
