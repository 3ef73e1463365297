/* rewards/device_scorer.c: the vocabulary and the lists that a device scores with. */
#include "rewards/device_scorer.h"

#include <stdlib.h>
#include <string.h>

struct judo_device_scorer {
    const judo_device_rewards *table;
    int32_t size;
    int32_t *offsets; /* [size + 1] of the tokens' bytes, as the device has them */
    int64_t scored;
};

/* Special tokens are left out of texts: they have no bytes here. */
static const char *bytes_of(const judo_tokenizer *tokenizer, int32_t token, size_t *length)
{
    const char *bytes = judo_tokenizer_token_bytes(tokenizer, token, length);
    *length = judo_tokenizer_is_special(tokenizer, token) ? 0 : *length;
    return bytes;
}

static judo_status fill_offsets(judo_device_scorer *scorer, const judo_tokenizer *tokenizer)
{
    int64_t total = 0;
    for (int32_t i = 0; i < scorer->size; i++) {
        size_t length = 0;
        (void)bytes_of(tokenizer, i, &length);
        total += (int64_t)length;
        if (total > INT32_MAX) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                             "rewards: the tokens up to %d have more than 2 GiB of bytes", i);
        }
        scorer->offsets[i + 1] = (int32_t)total;
    }
    return JUDO_OK;
}

static judo_status load(const judo_device_scorer *scorer, const judo_tokenizer *tokenizer)
{
    char *bytes = malloc((size_t)scorer->offsets[scorer->size] + 1);
    if (bytes == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for %d bytes of vocabulary",
                         scorer->offsets[scorer->size]);
    }
    for (int32_t i = 0; i < scorer->size; i++) {
        size_t length = 0;
        const char *token = bytes_of(tokenizer, i, &length);
        if (length > 0) {
            memcpy(bytes + scorer->offsets[i], token, length);
        }
    }
    judo_status status = scorer->table->load(bytes, scorer->offsets, scorer->size);
    free(bytes);
    return status;
}

judo_status judo_device_scorer_open(const judo_device *device, const judo_tokenizer *tokenizer,
                                    judo_device_scorer **out)
{
    if (device->rewards == NULL) {
        *out = NULL;
        return JUDO_OK;
    }
    int32_t size = judo_tokenizer_size(tokenizer);
    judo_device_scorer *scorer = calloc(1, sizeof *scorer);
    int32_t *offsets = calloc((size_t)size + 1, sizeof *offsets);
    if (scorer == NULL || offsets == NULL) {
        free(scorer);
        free(offsets);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for a vocabulary of %d", size);
    }
    *scorer = (judo_device_scorer){.table = device->rewards, .size = size, .offsets = offsets};
    judo_status status = fill_offsets(scorer, tokenizer);
    if (status == JUDO_OK) {
        status = load(scorer, tokenizer);
    }
    if (status != JUDO_OK) {
        judo_device_scorer_close(&scorer);
        return status;
    }
    *out = scorer;
    return JUDO_OK;
}

void judo_device_scorer_close(judo_device_scorer **scorer)
{
    if (*scorer != NULL) {
        free((*scorer)->offsets);
        free(*scorer);
        *scorer = NULL;
    }
}

bool judo_device_scorer_can(const judo_completion_facts *facts, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (facts[i].tokens == NULL) {
            return false;
        }
    }
    return true;
}

/* The lists of judo_device_completions, to be freed. */
typedef struct score_lists {
    int32_t *tokens;
    int64_t *token_offsets, *text_offsets;
    uint32_t *answers;
    judo_cells *gold;
    judo_device_verdict *verdicts;
} score_lists;

static void lists_free(score_lists *lists)
{
    free(lists->tokens);
    free(lists->token_offsets);
    free(lists->text_offsets);
    free(lists->answers);
    free(lists->gold);
    free(lists->verdicts);
}

static judo_status lists_create(const judo_completion_facts *facts, int64_t count,
                                score_lists *lists)
{
    size_t rows = (size_t)count;
    size_t tokens = 0;
    for (int64_t i = 0; i < count; i++) {
        tokens += (size_t)facts[i].num_tokens;
    }
    *lists = (score_lists){
        .tokens = malloc((tokens + 1) * sizeof *lists->tokens),
        .token_offsets = calloc(rows + 1, sizeof *lists->token_offsets),
        .text_offsets = calloc(rows + 1, sizeof *lists->text_offsets),
        .answers = calloc(rows + 1, sizeof *lists->answers),
        .gold = calloc(rows + 1, sizeof *lists->gold),
        .verdicts = calloc(rows + 1, sizeof *lists->verdicts),
    };
    if (lists->tokens == NULL || lists->token_offsets == NULL || lists->text_offsets == NULL ||
        lists->answers == NULL || lists->gold == NULL || lists->verdicts == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for %zu completions", rows);
    }
    return JUDO_OK;
}

/* The device writes where these offsets say: they are made of what it knows of the tokens. */
static judo_status lists_fill(const judo_device_scorer *scorer,
                              const judo_completion_facts *facts, int64_t count,
                              score_lists *lists)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t first = lists->token_offsets[i];
        int64_t bytes = 0;
        for (int64_t k = 0; k < facts[i].num_tokens; k++) {
            int32_t token = facts[i].tokens[k];
            if (token < 0) {
                return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                                 "rewards: token %lld of completion %lld is %d", (long long)k,
                                 (long long)i, token);
            }
            lists->tokens[first + k] = token;
            bytes +=
                token < scorer->size ? scorer->offsets[token + 1] - scorer->offsets[token] : 0;
        }
        if (bytes != (int64_t)facts[i].length) {
            return JUDO_FAIL(JUDO_ERROR_MISMATCH,
                             "rewards: completion %lld has %zu bytes, its tokens %lld",
                             (long long)i, facts[i].length, (long long)bytes);
        }
        lists->token_offsets[i + 1] = first + facts[i].num_tokens;
        lists->text_offsets[i + 1] = lists->text_offsets[i] + bytes;
        lists->answers[i] = (unsigned char)facts[i].answer;
        lists->gold[i] = facts[i].gold;
    }
    return JUDO_OK;
}

static judo_status score(const judo_device_scorer *scorer, const judo_reward_rules *rules,
                         const judo_completion_facts *facts, int64_t count, score_lists *lists)
{
    JUDO_TRY(lists_create(facts, count, lists));
    JUDO_TRY(lists_fill(scorer, facts, count, lists));
    const judo_device_completions completions = {
        .count = count,
        .tokens = lists->tokens,
        .token_offsets = lists->token_offsets,
        .text_offsets = lists->text_offsets,
        .answers = lists->answers,
        .gold = lists->gold,
    };
    return scorer->table->score(rules, &completions, lists->verdicts);
}

judo_status judo_device_scorer_run(judo_device_scorer *scorer, const judo_reward_rules *rules,
                                   const judo_completion_facts *facts, int64_t count,
                                   judo_reward_values *out, judo_span *thinks)
{
    score_lists lists = {.tokens = NULL};
    judo_status status = score(scorer, rules, facts, count, &lists);
    for (int64_t i = 0; status == JUDO_OK && i < count; i++) {
        const judo_device_verdict *verdict = &lists.verdicts[i];
        out[i] = verdict->values;
        thinks[i] = verdict->think_first < 0
                        ? judo_span_of(NULL, 0)
                        : judo_span_of(facts[i].text + verdict->think_first,
                                       (size_t)verdict->think_length);
    }
    if (status == JUDO_OK) {
        scorer->scored += count;
    }
    lists_free(&lists);
    return status;
}

int64_t judo_device_scorer_scored(const judo_device_scorer *scorer)
{
    return scorer != NULL ? scorer->scored : 0;
}
