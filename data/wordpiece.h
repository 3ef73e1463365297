/* data/wordpiece.h: BERT's uncased WordPiece tokenizer, for the sentence embedder. */
#ifndef JUDO_DATA_WORDPIECE_H
#define JUDO_DATA_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "runtime/status.h"

/* Immutable; shared by threads. */
typedef struct judo_wordpiece judo_wordpiece;

/* `path`: a vocab.txt (one token per line, numbered from 0), or the folder that holds it.
 * [PAD], [UNK], [CLS], [SEP] and [MASK] must be among the tokens. */
judo_status judo_wordpiece_open(const char *path, judo_wordpiece **out) JUDO_MUST_CHECK;
void judo_wordpiece_close(judo_wordpiece **wordpiece);
int32_t judo_wordpiece_size(const judo_wordpiece *wordpiece);

/* Appends [CLS], the text's ids and [SEP], at most `max_tokens` (>= 2) in all, cut on the
 * right. Special tokens written in the text become their ids, as in Hugging Face's tokenizer;
 * bytes that are not valid UTF-8 are dropped. On failure `out` is as before. */
judo_status judo_wordpiece_encode(const judo_wordpiece *wordpiece, const char *text,
                                  size_t length, int32_t max_tokens,
                                  judo_ids *out) JUDO_MUST_CHECK;

#endif
