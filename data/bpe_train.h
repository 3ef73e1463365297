/* data/bpe_train.h: trains a small byte-level BPE and writes it as a Qwen2.5-VL tokenizer. */
#ifndef JUDO_DATA_BPE_TRAIN_H
#define JUDO_DATA_BPE_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "data/byte_table.h"
#include "runtime/status.h"

typedef struct judo_bpe_trainer judo_bpe_trainer;

judo_status judo_bpe_trainer_open(judo_bpe_trainer **out) JUDO_MUST_CHECK;
void judo_bpe_trainer_close(judo_bpe_trainer **trainer);

/* Counts the pieces of a text (NFC, Qwen2's split pattern; bytes that are not valid UTF-8 are
 * left out). */
judo_status judo_bpe_trainer_add(judo_bpe_trainer *trainer, const char *text,
                                 size_t length) JUDO_MUST_CHECK;

/* The result: tokens 0..255 are the bytes in the order of the byte alphabet, then one token per
 * merge. */
typedef struct judo_bpe_trained {
    judo_byte_table tokens; /* raw bytes, numbered by id */
    judo_ids merges;        /* left and right id of each merge, in rank order */
} judo_bpe_trained;

/* Merges the most frequent pair (of equals the one with the smaller ids) until there are
 * `vocab_size` (>= 256) tokens or no pair occurs twice. The same texts give the same result in
 * any order. Once per trainer. */
judo_status judo_bpe_trainer_run(judo_bpe_trainer *trainer, int32_t vocab_size,
                                 judo_bpe_trained *out) JUDO_MUST_CHECK;
void judo_bpe_trained_free(judo_bpe_trained *trained);

/* Writes tokenizer.json, vocab.json, merges.txt and tokenizer_config.json into an existing
 * folder; Qwen2.5's 22 added tokens follow the trained ones. */
judo_status judo_tokenizer_write(const char *folder,
                                 const judo_bpe_trained *trained) JUDO_MUST_CHECK;

enum { JUDO_QWEN_ADDED_TOKENS = 22 };

#endif
