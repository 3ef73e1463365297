/* data/unicode_ranges.h: classes of code points as the reference tokenizers know them. */
#ifndef JUDO_DATA_UNICODE_RANGES_H
#define JUDO_DATA_UNICODE_RANGES_H

#include <stdbool.h>
#include <stdint.h>

/* Categories L* and N* of Unicode 16, which the split pattern of Qwen2.5 is run with. */
bool judo_unicode_is_letter(int32_t point);
bool judo_unicode_is_number(int32_t point);
/* Marks with a combining class that came after Unicode 9: the reference's normal forms, which
 * know none later, take them for characters that nothing is ordered or composed across. */
bool judo_unicode_is_unordered_mark(int32_t point);
/* Marks, control characters and punctuation that came after Unicode 8: BERT's reference
 * tokenizer takes them for letters. */
bool judo_unicode_is_unknown_to_bert(int32_t point);

#endif
