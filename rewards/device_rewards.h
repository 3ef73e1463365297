/* rewards/device_rewards.h: scoring on a device, a table that a device may have. The arithmetic
 * is reward_math.h's, compiled for it: the same bits as on the host. */
#ifndef JUDO_REWARDS_DEVICE_REWARDS_H
#define JUDO_REWARDS_DEVICE_REWARDS_H

#include "rewards/reward_math.h"
#include "runtime/status.h"

/* Completions of a step, in host memory. Offsets have one entry more than completions. */
typedef struct judo_device_completions {
    int64_t count;
    const int32_t *tokens; /* [token_offsets[count]], none negative */
    const int64_t *token_offsets;
    const int64_t *text_offsets; /* where the bytes of the tokens go, one text behind another */
    const uint32_t *answers;     /* [count] the correct letters */
    const judo_cells *gold;      /* [count] */
} judo_device_completions;

typedef struct judo_device_verdict {
    judo_reward_values values;         /* but for the domain reward, total and cosine */
    int64_t think_first, think_length; /* in the text; -1: there is none to embed */
} judo_device_verdict;

typedef struct judo_device_rewards {
    /* The bytes of token i are bytes[offsets[i] .. offsets[i + 1]) for i < size; later ids have
     * none. Replaces the vocabulary before. */
    judo_status (*load)(const char *bytes, const int32_t *offsets, int32_t size);
    /* Waits for the verdicts, [count] in host memory. */
    judo_status (*score)(const judo_reward_rules *rules,
                         const judo_device_completions *completions,
                         judo_device_verdict *verdicts);
} judo_device_rewards;

#endif
