/* data/tokenizer_internal.h: what a tokenizer is made of; for data/tokenizer*.c only. */
#ifndef JUDO_DATA_TOKENIZER_INTERNAL_H
#define JUDO_DATA_TOKENIZER_INTERNAL_H

#include <pthread.h>

#include "data/added_tokens.h"
#include "data/bpe.h"
#include "data/pretokenize.h"
#include "data/tokenizer.h"
#include "runtime/json.h"

/* One encode call's scratch; kept between calls in the tokenizer's list of idle ones. */
typedef struct judo_tokenizer_room {
    struct judo_tokenizer_room *next_idle;
    judo_bpe_room merge;
    judo_ids points;
    judo_text normal;
} judo_tokenizer_room;

struct judo_tokenizer {
    char *source; /* the file that the vocabulary came from, for errors */
    judo_bpe bpe;
    judo_added_tokens added;
    int32_t size;
    int32_t *added_of;    /* [size] index into added.tokens, or -1 */
    bool normalize;       /* NFC */
    pthread_mutex_t lock; /* guards idle */
    judo_tokenizer_room *idle;
};

/* Fill bpe and added of a zeroed tokenizer from the files at these paths. */
judo_status judo_tokenizer_load_json(judo_tokenizer *tokenizer,
                                     const char *path) JUDO_MUST_CHECK;
judo_status judo_tokenizer_load_vocab(judo_tokenizer *tokenizer, const char *vocab_path,
                                      const char *merges_path) JUDO_MUST_CHECK;
/* The added tokens of a tokenizer_config.json ("added_tokens_decoder") or an
 * added_tokens.json (content -> id; special if written <|...|>). */
judo_status judo_tokenizer_load_config(judo_tokenizer *tokenizer,
                                       const char *path) JUDO_MUST_CHECK;
judo_status judo_tokenizer_load_added(judo_tokenizer *tokenizer,
                                      const char *path) JUDO_MUST_CHECK;

/* Parts that the layouts share. */
judo_status judo_tokenizer_set_source(judo_tokenizer *tokenizer,
                                      const char *path) JUDO_MUST_CHECK;
/* A whole number in [0, JUDO_BPE_MAX_TOKENS). */
judo_status judo_tokenizer_read_id(const judo_json *item, const char *source,
                                   int32_t *out) JUDO_MUST_CHECK;
/* An object: token in the byte alphabet -> id. */
judo_status judo_tokenizer_read_vocabulary(judo_bpe *bpe, const judo_json *vocab,
                                           const char *source) JUDO_MUST_CHECK;
/* The next merge, its parts in the byte alphabet; and the same from a line "left right". */
judo_status judo_tokenizer_read_merge(judo_bpe *bpe, const char *left, size_t left_length,
                                      const char *right, size_t right_length,
                                      const char *source) JUDO_MUST_CHECK;
judo_status judo_tokenizer_read_merge_line(judo_bpe *bpe, const char *line, size_t length,
                                           const char *source) JUDO_MUST_CHECK;
/* An added token as tokenizer.json and tokenizer_config.json write it. */
judo_status judo_tokenizer_read_added(judo_tokenizer *tokenizer, const judo_json *item,
                                      int32_t id, const char *source) JUDO_MUST_CHECK;

#endif
