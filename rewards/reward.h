/* rewards/reward.h: the rewards of stage 3: what a completion is worth, and why. */
#ifndef JUDO_REWARDS_REWARD_H
#define JUDO_REWARDS_REWARD_H

#include "rewards/reward_math.h"

/* One completion and what is known of its sample. Text is decoded UTF-8 without special tokens.
 */
typedef struct judo_completion_facts {
    const char *text;
    size_t length;
    const int32_t *tokens; /* that the text was decoded from; NULL: not known */
    int64_t num_tokens;
    char answer;     /* the correct letter */
    judo_cells gold; /* true cells; empty for a normal image */
    float cosine;    /* of the embeddings of the think part and the rationale; NaN: unknown */
    const char *rationale;            /* the domain rationale; NULL: none */
    const float *rationale_embedding; /* [384], unit length; NULL: not known */
} judo_completion_facts;

typedef enum judo_reward_needs {
    JUDO_NEEDS_ANSWER = 1,
    JUDO_NEEDS_CELLS = 2,
    JUDO_NEEDS_COSINE = 4,
} judo_reward_needs;

typedef struct judo_reward {
    const char *name; /* also its key under "rewards." and its metric */
    int needs;        /* judo_reward_needs, or-ed */
} judo_reward;

/* In the order of judo_reward_index. */
extern const judo_reward judo_rewards[JUDO_NUM_REWARDS];

/* What the rewards with a weight above 0 need, or-ed. */
int judo_rewards_needs(const judo_reward_rules *rules);

/* All of `out` but the domain reward, the total and the cosine; returns the span of the text
 * whose embedding the domain reward compares (text NULL when it is not needed). */
judo_span judo_rewards_read(const judo_reward_rules *rules, const judo_completion_facts *facts,
                            judo_reward_values *out);
/* The rest of `out`. */
void judo_rewards_complete(const judo_reward_rules *rules, judo_span think, float cosine,
                           judo_reward_values *out);

/* Both: all rewards of one completion, those with weight 0 too. */
void judo_rewards_evaluate(const judo_reward_rules *rules, const judo_completion_facts *facts,
                           judo_reward_values *out);

#endif
