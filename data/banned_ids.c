/* data/banned_ids.c: token ids that a completion must never contain. */
#include "data/banned_ids.h"

#include <stdlib.h>

judo_status judo_banned_ids(const judo_tokenizer *tokenizer, const judo_special_ids *specials,
                            int64_t vocab_size, uint8_t **out)
{
    uint8_t *banned = calloc((size_t)vocab_size, 1);
    if (!banned) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld vocabulary rows",
                         (long long)vocab_size);
    }
    for (int64_t id = 0; id < vocab_size; id++) {
        size_t length;
        bool ends = id == specials->im_end || id == specials->endoftext;
        bool has_token = id < judo_tokenizer_size(tokenizer) &&
                         judo_tokenizer_token_bytes(tokenizer, (int32_t)id, &length);
        banned[id] = !ends && (!has_token || judo_tokenizer_is_special(tokenizer, (int32_t)id));
    }
    *out = banned;
    return JUDO_OK;
}
