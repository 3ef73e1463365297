/* data/tokenizer.h: Qwen2.5's tokenizer: added tokens are found first, the text between them is
 * normalised (NFC), cut by the split pattern and merged by a byte-level BPE. */
#ifndef JUDO_DATA_TOKENIZER_H
#define JUDO_DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "runtime/status.h"

/* Immutable; encode and decode may be called from any number of threads at once. */
typedef struct judo_tokenizer judo_tokenizer;

/* Opens the tokenizer of a Hugging Face model folder: tokenizer.json if there is one, else
 * vocab.json, merges.txt and the added tokens of tokenizer_config.json and added_tokens.json.
 * Malformed files are JUDO_ERROR_FORMAT, other kinds of tokenizers JUDO_ERROR_UNSUPPORTED. */
judo_status judo_tokenizer_open(const char *folder, judo_tokenizer **out) JUDO_MUST_CHECK;
void judo_tokenizer_close(judo_tokenizer **tokenizer);

/* Appends the ids of a text (at most 512 MB; zero bytes are text like others).
 * `parse_special`: special tokens written in the text become their ids; else they are ordinary
 * text (added tokens without the special flag are always found). Bytes that are not valid UTF-8
 * are kept: each becomes the token of that byte. On failure `out` is as before. */
judo_status judo_tokenizer_encode(const judo_tokenizer *tokenizer, const char *text,
                                  size_t length, bool parse_special,
                                  judo_ids *out) JUDO_MUST_CHECK;

/* Appends the bytes of the ids (which may cut a UTF-8 character at either end). Ids at or above
 * the tokenizer's size are the unused rows of a padded embedding: they stand for nothing.
 * Negative ids are JUDO_ERROR_ARGUMENT. */
judo_status judo_tokenizer_decode(const judo_tokenizer *tokenizer, const int32_t *ids,
                                  int64_t count, bool skip_special,
                                  judo_text *out) JUDO_MUST_CHECK;

/* The id of an added token's content or of a vocabulary token's raw bytes; -1 if none. */
int32_t judo_tokenizer_token_id(const judo_tokenizer *tokenizer, const char *content);
/* The largest id plus one. */
int32_t judo_tokenizer_size(const judo_tokenizer *tokenizer);
/* The raw bytes of an id, borrowed; NULL and 0 for ids outside [0, size). Not a C string. */
const char *judo_tokenizer_token_bytes(const judo_tokenizer *tokenizer, int32_t id,
                                       size_t *length);
bool judo_tokenizer_is_special(const judo_tokenizer *tokenizer, int32_t id);
/* True if the text contains a token with the special flag; its content is in `found`. */
bool judo_tokenizer_has_special(const judo_tokenizer *tokenizer, const char *text,
                                size_t length, const char **found);

/* The tokens that judo puts into prompts itself. */
typedef struct judo_special_ids {
    int32_t endoftext; /* also the padding token */
    int32_t im_start, im_end;
    int32_t vision_start, vision_end;
    int32_t image_pad, video_pad;
} judo_special_ids;

/* JUDO_ERROR_MISMATCH naming the file and the token that is missing or has no special flag. */
judo_status judo_tokenizer_specials(const judo_tokenizer *tokenizer,
                                    judo_special_ids *out) JUDO_MUST_CHECK;

#endif
