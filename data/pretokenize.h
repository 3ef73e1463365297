/* data/pretokenize.h: cuts text into the pieces inside which a byte-level BPE merges: Qwen2's
 * split pattern, run by PCRE2. */
#ifndef JUDO_DATA_PRETOKENIZE_H
#define JUDO_DATA_PRETOKENIZE_H

#include <stddef.h>

#include "runtime/status.h"

/* The pattern as tokenizer.json files write it. */
#define JUDO_SPLIT_PATTERN                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"                       \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

typedef struct judo_splitter judo_splitter;     /* the compiled pattern; shared by threads */
typedef struct judo_split_room judo_split_room; /* one thread's scratch */

judo_status judo_splitter_open(judo_splitter **out) JUDO_MUST_CHECK;
void judo_splitter_close(judo_splitter **splitter);

judo_status judo_split_room_open(const judo_splitter *splitter,
                                 judo_split_room **out) JUDO_MUST_CHECK;
void judo_split_room_close(judo_split_room **room);

/* The end of the piece that begins at `start` < length. `text` is valid UTF-8. */
judo_status judo_splitter_next(const judo_splitter *splitter, judo_split_room *room,
                               const char *text, size_t length, size_t start,
                               size_t *end) JUDO_MUST_CHECK;

#endif
