/* rewards/reward_config.h: which rewards a run uses, and in whose definition. */
#ifndef JUDO_REWARDS_REWARD_CONFIG_H
#define JUDO_REWARDS_REWARD_CONFIG_H

#include "rewards/domain_math.h"
#include "rewards/segmentation_math.h"
#include "rewards/structure_math.h"
#include "runtime/config.h"

typedef enum judo_reward_index {
    JUDO_REWARD_CHOICE,
    JUDO_REWARD_FORMAT,
    JUDO_REWARD_STRUCTURE,
    JUDO_REWARD_SEGMENTATION,
    JUDO_REWARD_DOMAIN,
    JUDO_NUM_REWARDS
} judo_reward_index;

/* Which rewards count. */
typedef enum judo_reward_recipe {
    JUDO_RECIPE_JUDO,      /* all five */
    JUDO_RECIPE_GRPO,      /* choice + format */
    JUDO_RECIPE_ANOMALYR1, /* AnomalyR1's accuracy + its reasoning-outcome reward (as structure)
                            */
    JUDO_NUM_RECIPES
} judo_reward_recipe;

/* How each is computed. */
typedef enum judo_reward_definition {
    JUDO_DEFINITION_PAPER,     /* as the paper states; where it is silent, as the public code */
    JUDO_DEFINITION_REFERENCE, /* as the public code computes, quirks included */
    JUDO_NUM_DEFINITIONS
} judo_reward_definition;

/* As configured; numbers below their range's sensible part (-1, -2) mean "as recipe and
 * definition say". */
typedef struct judo_reward_config {
    int recipe;     /* judo_reward_recipe */
    int definition; /* judo_reward_definition */
    double weights[JUDO_NUM_REWARDS];
    double domain_threshold;
    double domain_scale;
    double format_scale;
    double structure_early_cap;
} judo_reward_config;

enum { JUDO_REWARD_CONFIG_NUM_FIELDS = 11 };

/* The fields "rewards.preset", "rewards.choice.weight" .. of a judo_reward_config that lies at
 * `offset` in a program's struct, with the closing entry. */
void judo_reward_config_fields(size_t offset,
                               judo_config_field out[JUDO_REWARD_CONFIG_NUM_FIELDS + 1]);

/* Everything resolved: what the evaluation reads. */
typedef struct judo_reward_rules {
    double weights[JUDO_NUM_REWARDS];
    bool choice_needs_tags;
    bool chinese_keywords;
    bool format_is_whole;
    double format_scale;
    judo_structure_rule structure;
    judo_segmentation_rule segmentation;
    judo_domain_rule domain;
} judo_reward_rules;

/* A configuration that leaves all to recipe and definition. */
judo_reward_config judo_reward_config_of(judo_reward_recipe recipe,
                                         judo_reward_definition definition);

/* Resolves; JUDO_ERROR_CONFIG when no reward has a weight. */
judo_status judo_reward_rules_resolve(const judo_reward_config *config,
                                      judo_reward_rules *out) JUDO_MUST_CHECK;

#endif
