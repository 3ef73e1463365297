/* data/banned_ids.h: token ids that a completion must never contain. */
#ifndef JUDO_DATA_BANNED_IDS_H
#define JUDO_DATA_BANNED_IDS_H

#include "data/tokenizer.h"

/* One byte per row of the vocabulary, 1 for vision and control tokens and for rows without a
 * token; the two that end a completion stay allowed. An image token inside a completion has no
 * image behind it. The caller frees *out. */
judo_status judo_banned_ids(const judo_tokenizer *tokenizer, const judo_special_ids *specials,
                            int64_t vocab_size, uint8_t **out) JUDO_MUST_CHECK;

#endif
