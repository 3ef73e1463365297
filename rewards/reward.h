/* rewards/reward.h: the rewards of stage 3: what a completion is worth, and why. */
#ifndef JUDO_REWARDS_REWARD_H
#define JUDO_REWARDS_REWARD_H

#include "rewards/reward_config.h"
#include "rewards/segmentation_math.h"
#include "rewards/structure_math.h"

/* One completion and what is known of its sample. Text is decoded UTF-8 without special tokens.
 */
typedef struct judo_completion_facts {
    const char *text;
    size_t length;
    char answer;     /* the correct letter */
    judo_cells gold; /* true cells; empty for a normal image */
    float cosine; /* of the embeddings of judo_rewards_think and the rationale; NaN: unknown */
    const char *rationale;            /* the domain rationale; NULL: none */
    const float *rationale_embedding; /* [384], unit length; NULL: not known */
} judo_completion_facts;

typedef struct judo_reward_values {
    double value[JUDO_NUM_REWARDS]; /* unweighted; NaN: not applicable */
    double total;         /* sum of weight * value over the rewards that are not NaN */
    judo_cells predicted; /* empty unless cells_state is JUDO_CELLS_READ */
    judo_cells_state cells_state;
    uint32_t predicted_answer; /* code point, 0: none */
    uint32_t think_answer;     /* what the reasoning concludes on */
    float cosine;              /* as used; NaN when there was none */
} judo_reward_values;

/* What several rewards look at, parsed once per completion. */
typedef struct judo_completion_parts {
    judo_span text;
    judo_conclusions conclusions;
    judo_cells_state cells_state;
    judo_cells predicted;
} judo_completion_parts;

typedef enum judo_reward_needs {
    JUDO_NEEDS_ANSWER = 1,
    JUDO_NEEDS_CELLS = 2,
    JUDO_NEEDS_COSINE = 4,
} judo_reward_needs;

typedef struct judo_reward {
    const char *name; /* also its key under "rewards." and its metric */
    int needs;        /* judo_reward_needs, or-ed */
    double (*evaluate)(const judo_reward_rules *rules, const judo_completion_facts *facts,
                       const judo_completion_parts *parts);
} judo_reward;

/* In the order of judo_reward_index. */
extern const judo_reward judo_rewards[JUDO_NUM_REWARDS];

/* What the rewards with a weight above 0 need, or-ed. */
int judo_rewards_needs(const judo_reward_rules *rules);

/* The span of `text` whose embedding the domain reward compares; text NULL when it is not
 * needed. */
judo_span judo_rewards_think(const judo_reward_rules *rules, const char *text, size_t length);

/* All rewards of one completion, those with weight 0 too. */
void judo_rewards_evaluate(const judo_reward_rules *rules, const judo_completion_facts *facts,
                           judo_reward_values *out);

#endif
