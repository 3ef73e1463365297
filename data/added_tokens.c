/* data/added_tokens.c: a sorted list searched by first byte. */
#include "data/added_tokens.h"

#include <stdlib.h>
#include <string.h>

judo_status judo_added_tokens_put(judo_added_tokens *added, const char *content, int32_t id,
                                  bool special, bool normalized, const char *source)
{
    for (int32_t i = 0; i < added->count; i++) {
        judo_added_token *known = &added->tokens[i];
        bool same_content = strcmp(known->content, content) == 0;
        if (same_content && known->id == id) {
            known->special = special;
            known->normalized = normalized;
            return JUDO_OK;
        }
        if (same_content || known->id == id) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: added token \"%s\" with id %d meets \"%s\" with id %d",
                             source, content, id, known->content, known->id);
        }
    }
    size_t length = strlen(content);
    if (length == 0 || added->count >= JUDO_MAX_ADDED_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: added token %d is empty, or one of more than %d", source, id,
                         JUDO_MAX_ADDED_TOKENS);
    }
    if (added->count == added->capacity) {
        int32_t capacity = added->capacity == 0 ? 32 : added->capacity * 2;
        judo_added_token *grown =
            realloc(added->tokens, (size_t)capacity * sizeof *added->tokens);
        if (grown == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d added tokens", capacity);
        }
        added->tokens = grown;
        added->capacity = capacity;
    }
    char *copy = strdup(content);
    if (copy == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for an added token");
    }
    added->tokens[added->count++] = (judo_added_token){
        .content = copy,
        .length = length,
        .id = id,
        .special = special,
        .normalized = normalized,
    };
    return JUDO_OK;
}

static int compare(const void *a, const void *b)
{
    const judo_added_token *left = a;
    const judo_added_token *right = b;
    int first = (int)(unsigned char)left->content[0] - (int)(unsigned char)right->content[0];
    if (first != 0) {
        return first;
    }
    if (left->length != right->length) {
        return left->length > right->length ? -1 : 1;
    }
    return strcmp(left->content, right->content);
}

void judo_added_tokens_seal(judo_added_tokens *added)
{
    if (added->count > 0) {
        qsort(added->tokens, (size_t)added->count, sizeof *added->tokens, compare);
    }
    int32_t at = 0;
    for (int byte = 0; byte < 256; byte++) {
        added->starts[byte] = at;
        while (at < added->count && (unsigned char)added->tokens[at].content[0] == byte) {
            at++;
        }
    }
    added->starts[256] = at;
}

void judo_added_tokens_free(judo_added_tokens *added)
{
    for (int32_t i = 0; i < added->count; i++) {
        free(added->tokens[i].content);
    }
    free(added->tokens);
    *added = (judo_added_tokens){0};
}

const judo_added_token *judo_added_tokens_find(const judo_added_tokens *added,
                                               const char *content, size_t length)
{
    for (int32_t i = 0; i < added->count; i++) {
        const judo_added_token *token = &added->tokens[i];
        if (token->length == length && memcmp(token->content, content, length) == 0) {
            return token;
        }
    }
    return NULL;
}

const judo_added_token *judo_added_tokens_by_id(const judo_added_tokens *added, int32_t id)
{
    for (int32_t i = 0; i < added->count; i++) {
        if (added->tokens[i].id == id) {
            return &added->tokens[i];
        }
    }
    return NULL;
}

const judo_added_token *judo_added_tokens_next(const judo_added_tokens *added,
                                               judo_added_filter filter, const char *text,
                                               size_t length, size_t start, size_t *at)
{
    for (size_t place = start; place < length; place++) {
        unsigned char byte = (unsigned char)text[place];
        for (int32_t i = added->starts[byte]; i < added->starts[byte + 1]; i++) {
            const judo_added_token *token = &added->tokens[i];
            if (token->normalized == filter.normalized && (filter.special || !token->special) &&
                token->length <= length - place &&
                memcmp(text + place, token->content, token->length) == 0) {
                *at = place;
                return token;
            }
        }
    }
    *at = length;
    return NULL;
}
