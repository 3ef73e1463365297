/* data/bpe.c: the vocabulary and the ranked merges of a byte-level BPE. */
#include "data/bpe.h"

judo_status judo_bpe_add_token(judo_bpe *bpe, const char *bytes, size_t length,
                               const char *source)
{
    if (length == 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: token %d is empty", source, bpe->tokens.count);
    }
    if (bpe->tokens.count >= JUDO_BPE_MAX_TOKENS) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: more than %d tokens", source,
                         JUDO_BPE_MAX_TOKENS);
    }
    int32_t id = -1;
    bool is_new = false;
    JUDO_TRY(judo_byte_table_add(&bpe->tokens, bytes, length, &id, &is_new));
    if (!is_new) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: tokens %d and %d stand for the same bytes",
                         source, id, bpe->tokens.count);
    }
    return JUDO_OK;
}

judo_status judo_bpe_seal_tokens(judo_bpe *bpe, const char *source)
{
    for (int value = 0; value < JUDO_BYTES; value++) {
        char byte = (char)(unsigned char)value;
        bpe->byte_ids[value] = judo_byte_table_find(&bpe->tokens, &byte, 1);
        if (bpe->byte_ids[value] < 0) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT,
                             "%s: the vocabulary has no token for the single byte 0x%02x",
                             source, (unsigned)value);
        }
    }
    return JUDO_OK;
}

judo_status judo_bpe_add_merge(judo_bpe *bpe, const char *left, size_t left_length,
                               const char *right, size_t right_length, const char *source)
{
    int32_t left_id = judo_byte_table_find(&bpe->tokens, left, left_length);
    int32_t right_id = judo_byte_table_find(&bpe->tokens, right, right_length);
    if (left_id < 0 || right_id < 0) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT,
                         "%s: the %s part of merge %d is not in the vocabulary", source,
                         left_id < 0 ? "left" : "right", bpe->num_merges);
    }
    judo_text joined = {0};
    judo_status status = judo_text_append(&joined, left, left_length);
    if (status == JUDO_OK) {
        status = judo_text_append(&joined, right, right_length);
    }
    int32_t merged_id = -1;
    if (status == JUDO_OK) {
        merged_id = judo_byte_table_find(&bpe->tokens, joined.bytes, joined.length);
        if (merged_id < 0) {
            status = JUDO_FAIL(JUDO_ERROR_FORMAT,
                               "%s: the result of merge %d is not in the vocabulary", source,
                               bpe->num_merges);
        }
    }
    judo_text_free(&joined);
    JUDO_TRY(status);
    judo_pair *pair = NULL;
    JUDO_TRY(judo_pair_table_add(&bpe->merges, left_id, right_id, &pair));
    pair->value = (int64_t)bpe->num_merges << 32 | merged_id;
    bpe->num_merges++;
    return JUDO_OK;
}

void judo_bpe_free(judo_bpe *bpe)
{
    judo_byte_table_free(&bpe->tokens);
    judo_pair_table_free(&bpe->merges);
    *bpe = (judo_bpe){0};
}
