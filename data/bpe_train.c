/* data/bpe_train.c: greedy pair merging over the distinct pieces. Counts of pairs are kept up
 * to date; each merge is one sweep over all symbols, which is quick for the few thousand merges
 * of a small vocabulary. */
#include "data/bpe_train.h"

#include <stdlib.h>

#include "data/byte_alphabet.h"
#include "data/pair_table.h"
#include "data/pretokenize.h"
#include "data/unicode.h"

struct judo_bpe_trainer {
    judo_ids points;        /* scratch */
    judo_text normal;       /* scratch */
    judo_byte_table pieces; /* distinct pieces */
    int64_t *counts;        /* [counts_capacity] how often each came */
    int32_t counts_capacity;
};

/* The state of one training run. */
typedef struct training {
    judo_ids symbols;      /* all pieces, each ended by -1 */
    int64_t *weights;      /* [num_pieces] */
    judo_pair_table pairs; /* value: how often the pair stands side by side */
} training;

judo_status judo_bpe_trainer_open(judo_bpe_trainer **out)
{
    judo_bpe_trainer *trainer = calloc(1, sizeof *trainer);
    if (trainer == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for a tokenizer's training");
    }
    *out = trainer;
    return JUDO_OK;
}

void judo_bpe_trainer_close(judo_bpe_trainer **handle)
{
    judo_bpe_trainer *trainer = *handle;
    if (trainer == NULL) {
        return;
    }
    judo_ids_free(&trainer->points);
    judo_text_free(&trainer->normal);
    judo_byte_table_free(&trainer->pieces);
    free(trainer->counts);
    free(trainer);
    *handle = NULL;
}

void judo_bpe_trained_free(judo_bpe_trained *trained)
{
    judo_byte_table_free(&trained->tokens);
    judo_ids_free(&trained->merges);
}

static judo_status count_piece(judo_bpe_trainer *trainer, const char *piece, size_t length)
{
    int32_t number = -1;
    JUDO_TRY(judo_byte_table_add(&trainer->pieces, piece, length, &number, NULL));
    if (number >= trainer->counts_capacity) {
        int32_t capacity = trainer->counts_capacity == 0 ? 256 : trainer->counts_capacity * 2;
        int64_t *counts = realloc(trainer->counts, (size_t)capacity * sizeof *counts);
        if (counts == NULL) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d words", capacity);
        }
        for (int32_t i = trainer->counts_capacity; i < capacity; i++) {
            counts[i] = 0;
        }
        trainer->counts = counts;
        trainer->counts_capacity = capacity;
    }
    trainer->counts[number]++;
    return JUDO_OK;
}

judo_status judo_bpe_trainer_add(judo_bpe_trainer *trainer, const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t valid = judo_utf8_valid_prefix(text + at, length - at);
        judo_text_clear(&trainer->normal);
        JUDO_TRY(judo_unicode_compose(text + at, valid, &trainer->points, &trainer->normal));
        size_t from = 0;
        while (from < trainer->normal.length) {
            size_t end = judo_split_next(trainer->normal.bytes, trainer->normal.length, from);
            JUDO_TRY(count_piece(trainer, trainer->normal.bytes + from, end - from));
            from = end;
        }
        at += valid + 1; /* behind the stretch: the end, or a stray byte */
    }
    return JUDO_OK;
}

static judo_status count_pair(training *t, int32_t left, int32_t right, int64_t change)
{
    if (left < 0 || right < 0) {
        return JUDO_OK;
    }
    judo_pair *pair = NULL;
    JUDO_TRY(judo_pair_table_add(&t->pairs, left, right, &pair));
    pair->value += change;
    return JUDO_OK;
}

static judo_status start(const judo_bpe_trainer *trainer, const judo_bpe_trained *trained,
                         training *t)
{
    t->weights = trainer->counts;
    for (int32_t number = 0; number < trainer->pieces.count; number++) {
        size_t length = 0;
        const char *piece = judo_byte_table_get(&trainer->pieces, number, &length);
        int32_t previous = -1;
        for (size_t i = 0; i < length; i++) {
            int32_t id = judo_byte_table_find(&trained->tokens, piece + i, 1);
            JUDO_TRY(judo_ids_append(&t->symbols, id));
            JUDO_TRY(count_pair(t, previous, id, t->weights[number]));
            previous = id;
        }
        JUDO_TRY(judo_ids_append(&t->symbols, -1));
    }
    return JUDO_OK;
}

/* The most frequent pair, or NULL if none occurs twice. */
static const judo_pair *best_pair(const training *t)
{
    const judo_pair *best = NULL;
    for (uint32_t i = 0; i < t->pairs.num_slots; i++) {
        const judo_pair *pair = &t->pairs.slots[i];
        if (pair->left < 0 || pair->value < 2) {
            continue;
        }
        bool better = best == NULL || pair->value > best->value ||
                      (pair->value == best->value &&
                       (pair->left < best->left ||
                        (pair->left == best->left && pair->right < best->right)));
        best = better ? pair : best;
    }
    return best;
}

/* Replaces the pair by `merged` in all pieces, closing the gaps, and updates the counts. */
static judo_status merge_everywhere(training *t, int32_t left, int32_t right, int32_t merged)
{
    int32_t *ids = t->symbols.ids;
    int64_t kept = 0;
    int32_t piece = 0;
    int32_t previous = -1;
    for (int64_t i = 0; i < t->symbols.count; i++) {
        int32_t id = ids[i];
        /* The run ends with -1, so ids[i + 1] is there whenever ids[i] is a symbol. */
        if (id == left && ids[i + 1] == right) {
            int64_t weight = t->weights[piece];
            int32_t following = ids[i + 2];
            JUDO_TRY(count_pair(t, left, right, -weight));
            JUDO_TRY(count_pair(t, previous, left, -weight));
            JUDO_TRY(count_pair(t, previous, merged, weight));
            JUDO_TRY(count_pair(t, right, following, -weight));
            JUDO_TRY(count_pair(t, merged, following, weight));
            id = merged;
            i++;
        }
        ids[kept++] = id;
        piece += id < 0;
        previous = id;
    }
    t->symbols.count = kept;
    return JUDO_OK;
}

static judo_status train(training *t, int32_t vocab_size, judo_bpe_trained *trained)
{
    judo_text joined = {0};
    judo_status status = JUDO_OK;
    while (status == JUDO_OK && trained->tokens.count < vocab_size) {
        const judo_pair *best = best_pair(t);
        if (best == NULL) {
            break;
        }
        int32_t pair[2] = {best->left, best->right};
        judo_text_clear(&joined);
        for (int side = 0; side < 2 && status == JUDO_OK; side++) {
            size_t length = 0;
            const char *bytes = judo_byte_table_get(&trained->tokens, pair[side], &length);
            status = judo_text_append(&joined, bytes, length);
        }
        /* Two ways to the same bytes share one token. */
        int32_t merged = -1;
        if (status == JUDO_OK) {
            status = judo_byte_table_add(&trained->tokens, joined.bytes, joined.length, &merged,
                                         NULL);
        }
        if (status == JUDO_OK) {
            status = judo_ids_append_many(&trained->merges, pair, 2);
        }
        if (status == JUDO_OK) {
            status = merge_everywhere(t, pair[0], pair[1], merged);
        }
    }
    judo_text_free(&joined);
    return status;
}

judo_status judo_bpe_trainer_run(judo_bpe_trainer *trainer, int32_t vocab_size,
                                 judo_bpe_trained *out)
{
    if (vocab_size < JUDO_BYTES) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a vocabulary of %d tokens: the bytes alone are %d", vocab_size,
                         JUDO_BYTES);
    }
    judo_bpe_trained trained = {0};
    training t = {0};
    judo_status status = JUDO_OK;
    for (int rank = 0; rank < JUDO_BYTES && status == JUDO_OK; rank++) {
        char byte = (char)judo_byte_at(rank);
        int32_t id = -1;
        status = judo_byte_table_add(&trained.tokens, &byte, 1, &id, NULL);
    }
    if (status == JUDO_OK) {
        status = start(trainer, &trained, &t);
    }
    if (status == JUDO_OK) {
        status = train(&t, vocab_size, &trained);
    }
    judo_ids_free(&t.symbols);
    judo_pair_table_free(&t.pairs);
    if (status != JUDO_OK) {
        judo_bpe_trained_free(&trained);
        return status;
    }
    *out = trained;
    return JUDO_OK;
}
