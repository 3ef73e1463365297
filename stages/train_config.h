/* stages/train_config.h: everything that a training job can be told, and the table that
 * documents it. */
#ifndef JUDO_STAGES_TRAIN_CONFIG_H
#define JUDO_STAGES_TRAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "rewards/reward_config.h"
#include "runtime/config.h"

typedef enum judo_resume { JUDO_RESUME_AUTO, JUDO_RESUME_NEVER, JUDO_RESUME_MUST } judo_resume;

typedef enum judo_save_policy { JUDO_SAVE_OR_STOP, JUDO_SAVE_OR_GO_ON } judo_save_policy;

typedef enum judo_normalization {
    JUDO_NORMALIZE_TOKEN,
    JUDO_NORMALIZE_SAMPLE
} judo_normalization;

typedef enum judo_policy_loss {
    JUDO_POLICY_GRPO,
    JUDO_POLICY_BNPO,
    JUDO_POLICY_DR_GRPO,
    JUDO_POLICY_DAPO,
    JUDO_POLICY_LUSPO,
    JUDO_POLICY_GSPO /* grpo at sequence level */
} judo_policy_loss;

typedef enum judo_importance {
    JUDO_IMPORTANCE_TOKEN,
    JUDO_IMPORTANCE_SEQUENCE
} judo_importance;

typedef struct judo_train_config {
    int device; /* judo_device_choice */

    struct {
        char folder[JUDO_CONFIG_STRING_BYTES];
        int64_t seed;
        int resume;
        int64_t save_every, keep_last, keep_every, log_every, check_replicas_every;
        bool save_at_end, async_checkpoint;
        int on_save_error;
        bool tensorboard;
        int64_t timeline_steps, timeline_from;
        double deadline_seconds;
    } run;

    struct {
        char path[JUDO_CONFIG_STRING_BYTES];
        bool freeze_vision, freeze_merger, freeze_text;
        int activation_checkpointing;
        int dtype; /* judo_dtype_of_choice */
        int save_dtype;
    } model;

    struct {
        char path[JUDO_CONFIG_STRING_BYTES];
        int prompts, options, targets;
        int64_t limit;
        int64_t workers;
        bool use_domain_text;
        int64_t pre_resize;
    } data;

    struct {
        int64_t max_steps, max_skipped_steps;
        double epochs;
        int64_t batch_size;
        int64_t micro_batch;
        bool deterministic;
        int normalization;
        int64_t max_tokens;
        int64_t max_patches;
    } train;

    struct {
        double learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm;
        int schedule;
        int64_t warmup_steps;
        double warmup_ratio, minimum_ratio;
    } optimizer;

    struct {
        int64_t stage, group_size, persistence_threshold, prefetch, bucket;
        bool hybrid, overlap, accumulate_locally, split_master;
        int resident_weights, gradient_dtype, gradient_storage, offload_optimizer;
    } zero;

    struct {
        int64_t prompts_per_step, group_size, max_new_tokens, updates_per_rollout;
        double temperature, top_p, min_p, repetition_penalty, logprob_temperature;
        int64_t top_k;
        double kl_beta, clip_low, clip_high, delta; /* clip_high below 0: as clip_low */
        int loss, importance, advantage_scale;
        bool mask_truncated, keep_samples;
    } grpo;

    char minilm_path[JUDO_CONFIG_STRING_BYTES];
    judo_reward_config rewards;
} judo_train_config;

/* The joined tables: `for_grpo` adds the fields of stage 3. */
judo_config_table judo_train_config_table(bool for_grpo);

#endif
