/* data/added_tokens.h: tokens that stand beside the BPE vocabulary (<|im_start|> and the like)
 * and are found in a text before it is cut and merged. */
#ifndef JUDO_DATA_ADDED_TOKENS_H
#define JUDO_DATA_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

typedef struct judo_added_token {
    char *content; /* UTF-8, owned */
    size_t length;
    int32_t id;
    bool special;    /* structure, not text: left out of decoded text on request */
    bool normalized; /* looked for in the normalised text, not in the raw one */
} judo_added_token;

typedef struct judo_added_tokens {
    judo_added_token *tokens; /* once sealed: by first byte, then longest first */
    int32_t count, capacity;
    int32_t starts[257]; /* tokens that begin with byte b: [starts[b], starts[b + 1]) */
} judo_added_tokens;

/* Which tokens to look for. */
typedef struct judo_added_filter {
    bool normalized; /* those with this flag value */
    bool special;    /* also the special ones */
} judo_added_filter;

enum { JUDO_MAX_ADDED_TOKENS = 8192 };

/* Content must be new (the same token again, with the same id, is accepted and updates the
 * flags). `source` names the file in errors. */
judo_status judo_added_tokens_put(judo_added_tokens *added, const char *content, int32_t id,
                                  bool special, bool normalized,
                                  const char *source) JUDO_MUST_CHECK;
/* Sorts for searching; call once after the last put. */
void judo_added_tokens_seal(judo_added_tokens *added);
void judo_added_tokens_free(judo_added_tokens *added);

/* The token with this content or id, or NULL. */
const judo_added_token *judo_added_tokens_find(const judo_added_tokens *added,
                                               const char *content, size_t length);
const judo_added_token *judo_added_tokens_by_id(const judo_added_tokens *added, int32_t id);

/* The first token in text[start .. length), the longest of those that begin there; NULL if
 * none. `at` gets its place (length if none). */
const judo_added_token *judo_added_tokens_next(const judo_added_tokens *added,
                                               judo_added_filter filter, const char *text,
                                               size_t length, size_t start, size_t *at);

#endif
