/* data/tokenizer_encode.c: text to ids and back. */
#include <limits.h>
#include <stdlib.h>

#include "data/tokenizer_internal.h"
#include "data/unicode.h"

/* An idle room, or a new one. */
static judo_status take_room(judo_tokenizer *tokenizer, judo_tokenizer_room **out)
{
    (void)pthread_mutex_lock(&tokenizer->lock);
    judo_tokenizer_room *room = tokenizer->idle;
    if (room != NULL) {
        tokenizer->idle = room->next_idle;
    }
    (void)pthread_mutex_unlock(&tokenizer->lock);
    if (room == NULL) {
        room = calloc(1, sizeof *room);
        if (room == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to tokenize");
        }
    }
    *out = room;
    return JUDO_OK;
}

static void give_room(judo_tokenizer *tokenizer, judo_tokenizer_room *room)
{
    (void)pthread_mutex_lock(&tokenizer->lock);
    room->next_idle = tokenizer->idle;
    tokenizer->idle = room;
    (void)pthread_mutex_unlock(&tokenizer->lock);
}

/* Text without added tokens. */
static judo_status encode_plain(const judo_tokenizer *tokenizer, judo_tokenizer_room *room,
                                const char *text, size_t length, judo_ids *out)
{
    size_t at = 0;
    while (at < length) {
        size_t end = judo_split_next(text, length, at);
        JUDO_TRY(judo_bpe_encode(&tokenizer->bpe, &room->merge, text + at, end - at, out));
        at = end;
    }
    return JUDO_OK;
}

/* Normalised text: the added tokens that are looked for behind normalisation, then the rest. */
static judo_status encode_normal(const judo_tokenizer *tokenizer, judo_tokenizer_room *room,
                                 const char *text, size_t length, bool special, judo_ids *out)
{
    judo_added_filter filter = {.normalized = true, .special = special};
    size_t at = 0;
    while (at < length) {
        size_t end = at;
        const judo_added_token *token =
            judo_added_tokens_next(&tokenizer->added, filter, text, length, at, &end);
        JUDO_TRY(encode_plain(tokenizer, room, text + at, end - at, out));
        if (token != NULL) {
            JUDO_TRY(judo_ids_append(out, token->id));
            end += token->length;
        }
        at = end;
    }
    return JUDO_OK;
}

/* Raw text between added tokens: valid stretches are normalised, stray bytes stay bytes. */
static judo_status encode_stretch(const judo_tokenizer *tokenizer, judo_tokenizer_room *room,
                                  const char *text, size_t length, bool special, judo_ids *out)
{
    size_t at = 0;
    while (at < length) {
        size_t valid = judo_utf8_valid_prefix(text + at, length - at);
        if (valid == 0) {
            unsigned char byte = (unsigned char)text[at++];
            JUDO_TRY(judo_ids_append(out, tokenizer->bpe.byte_ids[byte]));
            continue;
        }
        const char *normal = text + at;
        size_t normal_length = valid;
        if (tokenizer->normalize && !judo_unicode_surely_nfc(normal, valid)) {
            judo_text_clear(&room->normal);
            JUDO_TRY(judo_unicode_compose(text + at, valid, &room->points, &room->normal));
            normal = room->normal.bytes;
            normal_length = room->normal.length;
        }
        JUDO_TRY(encode_normal(tokenizer, room, normal, normal_length, special, out));
        at += valid;
    }
    return JUDO_OK;
}

static judo_status encode_text(const judo_tokenizer *tokenizer, judo_tokenizer_room *room,
                               const char *text, size_t length, bool special, judo_ids *out)
{
    judo_added_filter filter = {.normalized = false, .special = special};
    size_t at = 0;
    while (at < length) {
        size_t end = at;
        const judo_added_token *token =
            judo_added_tokens_next(&tokenizer->added, filter, text, length, at, &end);
        JUDO_TRY(encode_stretch(tokenizer, room, text + at, end - at, special, out));
        if (token != NULL) {
            JUDO_TRY(judo_ids_append(out, token->id));
            end += token->length;
        }
        at = end;
    }
    return JUDO_OK;
}

judo_status judo_tokenizer_encode(const judo_tokenizer *tokenizer, const char *text,
                                  size_t length, bool parse_special, judo_ids *out)
{
    if (length > INT32_MAX / 4) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "a text of %zu bytes is too long to tokenize",
                         length);
    }
    /* The list of idle rooms is the one thing that changes, and it has a lock. */
    judo_tokenizer *shared = (judo_tokenizer *)tokenizer;
    judo_tokenizer_room *room = NULL;
    JUDO_TRY(take_room(shared, &room));
    int64_t before = out->count;
    judo_status status = encode_text(tokenizer, room, text, length, parse_special, out);
    give_room(shared, room);
    if (status != JUDO_OK) {
        out->count = before;
    }
    return status;
}

judo_status judo_tokenizer_decode(const judo_tokenizer *tokenizer, const int32_t *ids,
                                  int64_t count, bool skip_special, judo_text *out)
{
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < 0) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "id %lld of %lld to decode is %d",
                             (long long)i, (long long)count, ids[i]);
        }
    }
    size_t before = out->length;
    for (int64_t i = 0; i < count; i++) {
        if (skip_special && judo_tokenizer_is_special(tokenizer, ids[i])) {
            continue;
        }
        size_t length = 0;
        const char *bytes = judo_tokenizer_token_bytes(tokenizer, ids[i], &length);
        judo_status status = judo_text_append(out, bytes, length);
        if (status != JUDO_OK) {
            out->length = before;
            return status;
        }
    }
    return JUDO_OK;
}
