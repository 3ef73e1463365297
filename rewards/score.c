/* rewards/score.c: collects the texts to embed, embeds them in one batch, evaluates. */
#include "rewards/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which rows of the batch a completion compares; -1: none. */
typedef struct embedding_pair {
    int64_t think, rationale;
} embedding_pair;

typedef struct embedding_batch {
    judo_span *thinks; /* [count] what completions have to embed */
    judo_span *texts;  /* [2 * count] */
    embedding_pair *pairs;
    float *rows;
    int64_t num_texts;
} embedding_batch;

float judo_embedding_cosine(const float *a, const float *b)
{
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < JUDO_EMBEDDING_SIZE; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    double length = sqrt(aa) * sqrt(bb);
    if (!(length > 0)) {
        return isnan(length) ? NAN : 0.0f;
    }
    return (float)fmax(-1.0, fmin(1.0, dot / length));
}

static void batch_free(embedding_batch *batch)
{
    free(batch->thinks);
    free(batch->texts);
    free(batch->pairs);
    free(batch->rows);
}

/* A group shares its rationale: looking at the neighbour before is enough to embed it once. */
static int64_t rationale_row(embedding_batch *batch, const judo_completion_facts *facts,
                             int64_t i)
{
    for (int64_t j = i - 1; j >= 0 && facts[j].rationale == facts[i].rationale; j--) {
        if (batch->pairs[j].rationale >= 0) {
            return batch->pairs[j].rationale;
        }
    }
    batch->texts[batch->num_texts] =
        judo_span_of(facts[i].rationale, strlen(facts[i].rationale));
    return batch->num_texts++;
}

static void batch_collect(const judo_completion_facts *facts, int64_t count,
                          embedding_batch *batch)
{
    for (int64_t i = 0; i < count; i++) {
        batch->pairs[i] = (embedding_pair){-1, -1};
        bool comparable = facts[i].rationale != NULL || facts[i].rationale_embedding != NULL;
        judo_span think = batch->thinks[i];
        if (!isnan(facts[i].cosine) || !comparable || think.text == NULL) {
            continue;
        }
        batch->texts[batch->num_texts] = think;
        batch->pairs[i].think = batch->num_texts++;
        if (facts[i].rationale_embedding == NULL) {
            batch->pairs[i].rationale = rationale_row(batch, facts, i);
        }
    }
}

static judo_status batch_embed(const judo_completion_facts *facts, int64_t count,
                               const judo_embedder *embedder, embedding_batch *batch)
{
    batch->texts = calloc((size_t)count, 2 * sizeof *batch->texts);
    batch->pairs = calloc((size_t)count, sizeof *batch->pairs);
    if (batch->texts == NULL || batch->pairs == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for %lld completions",
                         (long long)count);
    }
    batch_collect(facts, count, batch);
    if (batch->num_texts == 0) {
        return JUDO_OK;
    }
    batch->rows = calloc((size_t)batch->num_texts, JUDO_EMBEDDING_SIZE * sizeof(float));
    if (batch->rows == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for %lld embeddings",
                         (long long)batch->num_texts);
    }
    return embedder->embed(embedder->context, batch->texts, batch->num_texts, batch->rows);
}

static float cosine_of(const judo_completion_facts *facts, const embedding_batch *batch,
                       int64_t i)
{
    if (batch->pairs == NULL || batch->pairs[i].think < 0) {
        return facts->cosine;
    }
    embedding_pair pair = batch->pairs[i];
    const float *rationale = pair.rationale < 0
                                 ? facts->rationale_embedding
                                 : batch->rows + pair.rationale * JUDO_EMBEDDING_SIZE;
    return judo_embedding_cosine(batch->rows + pair.think * JUDO_EMBEDDING_SIZE, rationale);
}

static judo_status read_texts(judo_device_scorer *scorer, const judo_reward_rules *rules,
                              const judo_completion_facts *facts, int64_t count,
                              embedding_batch *batch, judo_reward_values *out)
{
    batch->thinks = calloc((size_t)count + 1, sizeof *batch->thinks);
    if (batch->thinks == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "rewards: no memory for %lld completions",
                         (long long)count);
    }
    if (scorer != NULL && judo_device_scorer_can(facts, count)) {
        return judo_device_scorer_run(scorer, rules, facts, count, out, batch->thinks);
    }
    for (int64_t i = 0; i < count; i++) {
        batch->thinks[i] = judo_rewards_read(rules, &facts[i], &out[i]);
    }
    return JUDO_OK;
}

judo_status judo_rewards_score_on(judo_device_scorer *scorer, const judo_reward_rules *rules,
                                  const judo_completion_facts *facts, int64_t count,
                                  const judo_embedder *embedder, judo_reward_values *out)
{
    embedding_batch batch = {0};
    judo_status status = read_texts(scorer, rules, facts, count, &batch, out);
    if (status == JUDO_OK && count > 0 && embedder != NULL &&
        rules->weights[JUDO_REWARD_DOMAIN] > 0) {
        status = batch_embed(facts, count, embedder, &batch);
    }
    for (int64_t i = 0; status == JUDO_OK && i < count; i++) {
        judo_rewards_complete(rules, batch.thinks[i], cosine_of(&facts[i], &batch, i), &out[i]);
    }
    batch_free(&batch);
    return status;
}

judo_status judo_rewards_score(const judo_reward_rules *rules,
                               const judo_completion_facts *facts, int64_t count,
                               const judo_embedder *embedder, judo_reward_values *out)
{
    return judo_rewards_score_on(NULL, rules, facts, count, embedder, out);
}
