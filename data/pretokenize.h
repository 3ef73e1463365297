/* data/pretokenize.h: cuts text into the pieces inside which a byte-level BPE merges: Qwen2's
 * split pattern. */
#ifndef JUDO_DATA_PRETOKENIZE_H
#define JUDO_DATA_PRETOKENIZE_H

#include <stddef.h>

/* The pattern as tokenizer.json files write it. */
#define JUDO_SPLIT_PATTERN                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"                       \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The end of the piece that begins at `start` < length. `text` is valid UTF-8. */
size_t judo_split_next(const char *text, size_t length, size_t start);

#endif
