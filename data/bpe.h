/* data/bpe.h: the byte-level BPE model: a vocabulary, ranked merges, and the merging of one
 * piece of text. No normalisation, no splitting, no added tokens. */
#ifndef JUDO_DATA_BPE_H
#define JUDO_DATA_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "data/byte_alphabet.h"
#include "data/byte_table.h"
#include "data/pair_table.h"
#include "runtime/status.h"

/* Immutable once built; shared by threads. */
typedef struct judo_bpe {
    judo_byte_table tokens; /* raw bytes of each token, numbered by id */
    int32_t byte_ids[JUDO_BYTES];
    judo_pair_table merges; /* value: rank << 32 | id of the merged token */
    int32_t num_merges;
} judo_bpe;

enum { JUDO_BPE_MAX_TOKENS = 1 << 22, JUDO_BPE_CACHE_KEY = 24, JUDO_BPE_CACHE_IDS = 9 };

/* Adds the token with the next id. `source` names the file in errors. */
judo_status judo_bpe_add_token(judo_bpe *bpe, const char *bytes, size_t length,
                               const char *source) JUDO_MUST_CHECK;
/* After the last token: finds the 256 single bytes (JUDO_ERROR_FORMAT if one is missing). */
judo_status judo_bpe_seal_tokens(judo_bpe *bpe, const char *source) JUDO_MUST_CHECK;
/* Adds the next merge in rank order, given as raw bytes. Both parts and their union must be
 * tokens; a pair that was already there takes the new rank, as the peers do. */
judo_status judo_bpe_add_merge(judo_bpe *bpe, const char *left, size_t left_length,
                               const char *right, size_t right_length,
                               const char *source) JUDO_MUST_CHECK;
void judo_bpe_free(judo_bpe *bpe);

/* A short piece and its ids. */
typedef struct judo_bpe_cached {
    uint8_t length, count; /* length 0: empty */
    char key[JUDO_BPE_CACHE_KEY];
    int32_t ids[JUDO_BPE_CACHE_IDS];
} judo_bpe_cached;

/* One thread's scratch: the symbols of a piece as a linked list, a heap of the merges that are
 * possible, and a cache of pieces seen. Zero-initialise; free when done. */
typedef struct judo_bpe_room {
    int32_t *ids, *next, *previous, *ranks; /* [capacity] */
    uint64_t *heap;                         /* [3 * capacity] rank << 32 | position */
    size_t capacity, heap_count;
    judo_bpe_cached *cache;
} judo_bpe_room;

/* Appends the ids of one piece: merges the lowest rank first, the leftmost of equals. */
judo_status judo_bpe_encode(const judo_bpe *bpe, judo_bpe_room *room, const char *piece,
                            size_t length, judo_ids *out) JUDO_MUST_CHECK;
void judo_bpe_room_free(judo_bpe_room *room);

#endif
