/* data/tokenizer_load.c: the layout with vocab.json, merges.txt and the added tokens of
 * tokenizer_config.json or added_tokens.json. */
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer_internal.h"
#include "runtime/file.h"

enum { MAX_MERGES_BYTES = 1 << 28 };

judo_status judo_tokenizer_load_config(judo_tokenizer *tokenizer, const char *path)
{
    judo_json *document = NULL;
    JUDO_TRY(judo_json_load(path, &document));
    judo_status status = JUDO_OK;
    const judo_json *decoder = judo_json_get(document, "added_tokens_decoder");
    for (const judo_json *item = judo_json_first(decoder); item != NULL && status == JUDO_OK;
         item = judo_json_next(item)) {
        const char *key = judo_json_key(item);
        char *end = NULL;
        long id = key == NULL || key[0] < '0' || key[0] > '9' ? -1 : strtol(key, &end, 10);
        if (id < 0 || id >= JUDO_BPE_MAX_TOKENS || *end != '\0') {
            status =
                JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: added_tokens_decoder: \"%s\" is no token id",
                          path, key == NULL ? "" : key);
        } else {
            status = judo_tokenizer_read_added(tokenizer, item, (int32_t)id, path);
        }
    }
    judo_json_free(&document);
    return status;
}

judo_status judo_tokenizer_load_added(judo_tokenizer *tokenizer, const char *path)
{
    judo_json *document = NULL;
    JUDO_TRY(judo_json_load(path, &document));
    judo_status status = JUDO_OK;
    if (!judo_json_is_object(document)) {
        status = JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: not an object of tokens and ids", path);
    }
    for (const judo_json *item = judo_json_first(document); item != NULL && status == JUDO_OK;
         item = judo_json_next(item)) {
        const char *content = judo_json_key(item);
        size_t length = strlen(content);
        bool special = length > 4 && strncmp(content, "<|", 2) == 0 &&
                       strcmp(content + length - 2, "|>") == 0;
        int32_t id = -1;
        status = judo_tokenizer_read_id(item, path, &id);
        if (status == JUDO_OK) {
            status =
                judo_added_tokens_put(&tokenizer->added, content, id, special, false, path);
        }
    }
    judo_json_free(&document);
    return status;
}

static judo_status load_merges_file(judo_bpe *bpe, const char *path)
{
    char *text = NULL;
    size_t length = 0;
    JUDO_TRY(judo_file_read_all(path, MAX_MERGES_BYTES, &text, &length));
    judo_status status = JUDO_OK;
    size_t at = 0;
    while (at < length && status == JUDO_OK) {
        const char *line = text + at;
        const char *newline = memchr(line, '\n', length - at);
        size_t bytes = newline == NULL ? length - at : (size_t)(newline - line);
        at += bytes + 1;
        if (bytes > 0 && line[bytes - 1] == '\r') {
            bytes--;
        }
        bool comment = bytes >= 8 && memcmp(line, "#version", 8) == 0;
        if (bytes > 0 && !comment) {
            status = judo_tokenizer_read_merge_line(bpe, line, bytes, path);
        }
    }
    free(text);
    return status;
}

judo_status judo_tokenizer_load_vocab(judo_tokenizer *tokenizer, const char *vocab_path,
                                      const char *merges_path)
{
    JUDO_TRY(judo_tokenizer_set_source(tokenizer, vocab_path));
    tokenizer->normalize = true;
    judo_json *document = NULL;
    JUDO_TRY(judo_json_load(vocab_path, &document));
    judo_status status = judo_tokenizer_read_vocabulary(&tokenizer->bpe, document, vocab_path);
    judo_json_free(&document);
    JUDO_TRY(status);
    return load_merges_file(&tokenizer->bpe, merges_path);
}
