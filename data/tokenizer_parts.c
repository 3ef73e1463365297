/* data/tokenizer_parts.c: what the layouts of tokenizer files have in common: vocabulary,
 * merges and added tokens. */
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer_internal.h"

judo_status judo_tokenizer_set_source(judo_tokenizer *tokenizer, const char *path)
{
    tokenizer->source = strdup(path);
    return tokenizer->source != NULL ? JUDO_OK
                                     : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a path");
}

judo_status judo_tokenizer_read_id(const judo_json *item, const char *source, int32_t *out)
{
    int64_t id = -1;
    JUDO_TRY(judo_json_as_int(item, source, &id));
    if (id < 0 || id >= JUDO_BPE_MAX_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: token id %lld is not in [0, %d)", source,
                         (long long)id, JUDO_BPE_MAX_TOKENS);
    }
    *out = (int32_t)id;
    return JUDO_OK;
}

/* Fills contents[id] from an object content -> id whose ids are 0 .. count-1 in any order. */
static judo_status sort_vocabulary(const judo_json *vocab, int count, const char *source,
                                   const char **contents)
{
    for (const judo_json *item = judo_json_first(vocab); item != NULL;
         item = judo_json_next(item)) {
        const char *content = judo_json_key(item);
        int64_t id = -1;
        JUDO_TRY(judo_json_as_int(item, source, &id));
        if (id < 0 || id >= count) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: token \"%s\" has id %lld, but there are %d tokens: ids must "
                             "run from 0 without holes",
                             source, content, (long long)id, count);
        }
        if (contents[id] != NULL) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: tokens \"%s\" and \"%s\" share id %lld",
                             source, contents[id], content, (long long)id);
        }
        contents[id] = content;
    }
    return JUDO_OK;
}

judo_status judo_tokenizer_read_vocabulary(judo_bpe *bpe, const judo_json *vocab,
                                           const char *source)
{
    int count = judo_json_size(vocab);
    if (!judo_json_is_object(vocab) || count == 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: the vocabulary is not an object of tokens and ids, or empty",
                         source);
    }
    const char **contents = calloc((size_t)count, sizeof *contents);
    if (contents == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d tokens", count);
    }
    judo_text raw = {0};
    judo_status status = sort_vocabulary(vocab, count, source, contents);
    for (int id = 0; id < count && status == JUDO_OK; id++) {
        judo_text_clear(&raw);
        /* `count` ids below it, none twice: each has a content.
         * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        status = judo_byte_alphabet_read(contents[id], strlen(contents[id]), &raw);
        if (status == JUDO_OK) {
            status = judo_bpe_add_token(bpe, raw.bytes, raw.length, source);
        }
    }
    judo_text_free(&raw);
    free((void *)contents);
    JUDO_TRY(status);
    return judo_bpe_seal_tokens(bpe, source);
}

judo_status judo_tokenizer_read_merge(judo_bpe *bpe, const char *left, size_t left_length,
                                      const char *right, size_t right_length,
                                      const char *source)
{
    judo_text raw = {0};
    judo_status status = judo_byte_alphabet_read(left, left_length, &raw);
    size_t cut = raw.length;
    if (status == JUDO_OK) {
        status = judo_byte_alphabet_read(right, right_length, &raw);
    }
    if (status == JUDO_OK) {
        status =
            judo_bpe_add_merge(bpe, raw.bytes, cut, raw.bytes + cut, raw.length - cut, source);
    }
    judo_text_free(&raw);
    return status;
}

judo_status judo_tokenizer_read_merge_line(judo_bpe *bpe, const char *line, size_t length,
                                           const char *source)
{
    const char *space = memchr(line, ' ', length);
    size_t left = space == NULL ? 0 : (size_t)(space - line);
    if (left == 0 || left + 1 >= length || memchr(space + 1, ' ', length - left - 1) != NULL) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: merge %d is \"%.*s\", not two parts with a space between", source,
                         bpe->num_merges, length < 80 ? (int)length : 80, line);
    }
    return judo_tokenizer_read_merge(bpe, line, left, space + 1, length - left - 1, source);
}

judo_status judo_tokenizer_read_added(judo_tokenizer *tokenizer, const judo_json *item,
                                      int32_t id, const char *source)
{
    const char *content = NULL;
    JUDO_TRY(judo_json_get_string(item, "content", source, &content));
    bool special = false;
    bool normalized = false;
    JUDO_TRY(judo_json_get_bool_or(item, "special", source, false, &special));
    JUDO_TRY(judo_json_get_bool_or(item, "normalized", source, !special, &normalized));
    static const char *const trims[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < sizeof trims / sizeof trims[0]; i++) {
        bool set = false;
        JUDO_TRY(judo_json_get_bool_or(item, trims[i], source, false, &set));
        if (set) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "%s: added token \"%s\" sets %s, which judo does not do", source,
                             content, trims[i]);
        }
    }
    return judo_added_tokens_put(&tokenizer->added, content, id, special, normalized, source);
}
