/* data/tokenizer.c: opening and closing, and questions about single tokens. */
#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/tokenizer_internal.h"

static judo_status join_path(const char *folder, const char *name, char **out)
{
    judo_text path = {0};
    JUDO_TRY(judo_text_append_format(&path, "%s/%s", folder, name));
    *out = path.bytes;
    return JUDO_OK;
}

/* Loads folder/name with `load` if it exists. */
static judo_status load_if_there(judo_tokenizer *tokenizer, const char *folder,
                                 const char *name,
                                 judo_status (*load)(judo_tokenizer *, const char *),
                                 bool *there)
{
    char *path = NULL;
    JUDO_TRY(join_path(folder, name, &path));
    *there = access(path, F_OK) == 0;
    judo_status status = *there ? load(tokenizer, path) : JUDO_OK;
    free(path);
    return status;
}

static judo_status load_parts(judo_tokenizer *tokenizer, const char *folder)
{
    char *vocab = NULL;
    char *merges = NULL;
    judo_status status = join_path(folder, "vocab.json", &vocab);
    if (status == JUDO_OK) {
        status = join_path(folder, "merges.txt", &merges);
    }
    if (status == JUDO_OK && access(vocab, F_OK) != 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO,
                           "%s: no tokenizer: neither tokenizer.json nor vocab.json is there",
                           folder);
    }
    if (status == JUDO_OK) {
        status = judo_tokenizer_load_vocab(tokenizer, vocab, merges);
    }
    free(vocab);
    free(merges);
    JUDO_TRY(status);
    bool there = false;
    JUDO_TRY(load_if_there(tokenizer, folder, "added_tokens.json", judo_tokenizer_load_added,
                           &there));
    return load_if_there(tokenizer, folder, "tokenizer_config.json", judo_tokenizer_load_config,
                         &there);
}

/* Ids must run from 0 without holes: first the vocabulary, then the added tokens. An added
 * token may also stand in the vocabulary, under the same id. */
static judo_status number_tokens(judo_tokenizer *tokenizer)
{
    const judo_added_tokens *added = &tokenizer->added;
    int32_t vocabulary = tokenizer->bpe.tokens.count;
    int64_t size = (int64_t)vocabulary;
    for (int32_t i = 0; i < added->count; i++) {
        size += added->tokens[i].id >= vocabulary;
    }
    tokenizer->added_of = malloc((size_t)size * sizeof *tokenizer->added_of);
    if (tokenizer->added_of == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld tokens", (long long)size);
    }
    memset(tokenizer->added_of, 0xff, (size_t)size * sizeof *tokenizer->added_of);
    tokenizer->size = (int32_t)size;
    for (int32_t i = 0; i < added->count; i++) {
        const judo_added_token *token = &added->tokens[i];
        if (token->id >= size) {
            return JUDO_FAIL(
                JUDO_ERROR_FORMAT,
                "%s: added token \"%s\" has id %d, but there are only %lld tokens: "
                "ids must run without holes",
                tokenizer->source, token->content, token->id, (long long)size);
        }
        int32_t known =
            judo_byte_table_find(&tokenizer->bpe.tokens, token->content, token->length);
        if ((token->id < vocabulary || known >= 0) && known != token->id) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: added token \"%s\" has id %d, but in the vocabulary %d",
                             tokenizer->source, token->content, token->id, known);
        }
        tokenizer->added_of[token->id] = i;
    }
    return JUDO_OK;
}

judo_status judo_tokenizer_open(const char *folder, judo_tokenizer **out)
{
    judo_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a tokenizer");
    }
    if (pthread_mutex_init(&tokenizer->lock, NULL) != 0) {
        free(tokenizer);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a lock");
    }
    bool there = false;
    judo_status status =
        load_if_there(tokenizer, folder, "tokenizer.json", judo_tokenizer_load_json, &there);
    if (status == JUDO_OK && !there) {
        status = load_parts(tokenizer, folder);
    }
    if (status == JUDO_OK) {
        judo_added_tokens_seal(&tokenizer->added);
        status = number_tokens(tokenizer);
    }
    if (status != JUDO_OK) {
        judo_tokenizer_close(&tokenizer);
        return status;
    }
    *out = tokenizer;
    return JUDO_OK;
}

void judo_tokenizer_close(judo_tokenizer **handle)
{
    judo_tokenizer *tokenizer = *handle;
    if (tokenizer == NULL) {
        return;
    }
    while (tokenizer->idle != NULL) {
        judo_tokenizer_room *room = tokenizer->idle;
        tokenizer->idle = room->next_idle;
        judo_bpe_room_free(&room->merge);
        judo_ids_free(&room->points);
        judo_text_free(&room->normal);
        free(room);
    }
    (void)pthread_mutex_destroy(&tokenizer->lock);
    judo_bpe_free(&tokenizer->bpe);
    judo_added_tokens_free(&tokenizer->added);
    free(tokenizer->added_of);
    free(tokenizer->source);
    free(tokenizer);
    *handle = NULL;
}

int32_t judo_tokenizer_token_id(const judo_tokenizer *tokenizer, const char *content)
{
    size_t length = strlen(content);
    const judo_added_token *token = judo_added_tokens_find(&tokenizer->added, content, length);
    return token != NULL ? token->id
                         : judo_byte_table_find(&tokenizer->bpe.tokens, content, length);
}

int32_t judo_tokenizer_size(const judo_tokenizer *tokenizer)
{
    return tokenizer->size;
}

const char *judo_tokenizer_token_bytes(const judo_tokenizer *tokenizer, int32_t id,
                                       size_t *length)
{
    *length = 0;
    if (id < 0 || id >= tokenizer->size) {
        return NULL;
    }
    int32_t added = tokenizer->added_of[id];
    if (added >= 0) {
        *length = tokenizer->added.tokens[added].length;
        return tokenizer->added.tokens[added].content;
    }
    return judo_byte_table_get(&tokenizer->bpe.tokens, id, length);
}

bool judo_tokenizer_is_special(const judo_tokenizer *tokenizer, int32_t id)
{
    int32_t added = id < 0 || id >= tokenizer->size ? -1 : tokenizer->added_of[id];
    return added >= 0 && tokenizer->added.tokens[added].special;
}

bool judo_tokenizer_has_special(const judo_tokenizer *tokenizer, const char *text,
                                size_t length, const char **found)
{
    for (int normalized = 0; normalized < 2; normalized++) {
        judo_added_filter filter = {.normalized = normalized == 1, .special = true};
        size_t at = 0;
        while (at < length) {
            const judo_added_token *token =
                judo_added_tokens_next(&tokenizer->added, filter, text, length, at, &at);
            if (token != NULL && token->special) {
                *found = token->content;
                return true;
            }
            at += token != NULL ? 1 : 0;
        }
    }
    return false;
}

judo_status judo_tokenizer_specials(const judo_tokenizer *tokenizer, judo_special_ids *out)
{
    judo_special_ids ids = {0};

    const struct {
        const char *content;
        int32_t *id;
    } wanted[] = {
        {"<|endoftext|>", &ids.endoftext},   {"<|im_start|>", &ids.im_start},
        {"<|im_end|>", &ids.im_end},         {"<|vision_start|>", &ids.vision_start},
        {"<|vision_end|>", &ids.vision_end}, {"<|image_pad|>", &ids.image_pad},
        {"<|video_pad|>", &ids.video_pad},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].id = judo_tokenizer_token_id(tokenizer, wanted[i].content);
        if (*wanted[i].id < 0 || !judo_tokenizer_is_special(tokenizer, *wanted[i].id)) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                             "%s: %s is not among its special tokens; judo needs the tokenizer "
                             "of a Qwen2.5-VL model",
                             tokenizer->source, wanted[i].content);
        }
    }
    *out = ids;
    return JUDO_OK;
}
