/* rewards/reward_config.c: recipes and definitions as constant tables, and their overrides. */
#include "rewards/reward_config.h"

#define WEIGHT(name, index)                                                                    \
    {                                                                                          \
        .key = "rewards." name ".weight", .type = JUDO_CONFIG_FLOAT,                           \
        .offset = offsetof(judo_reward_config, weights) + (index) * sizeof(double),            \
        .default_text = "-1", .minimum = -1, .maximum = 1000,                                  \
        .doc = "weight of the " name " reward in the total; -1: as the preset says"            \
    }

static const judo_config_field fields[JUDO_REWARD_CONFIG_NUM_FIELDS + 1] = {
    {.key = "rewards.preset",
     .type = JUDO_CONFIG_CHOICE,
     .offset = offsetof(judo_reward_config, recipe),
     .default_text = "judo",
     .choices = "judo|grpo|anomalyr1",
     .doc =
         "which rewards count: judo all five; grpo choice and format; anomalyr1 its own two"},
    {.key = "rewards.definition",
     .type = JUDO_CONFIG_CHOICE,
     .offset = offsetof(judo_reward_config, definition),
     .default_text = "paper",
     .choices = "paper|reference",
     .doc = "how rewards are computed: as the paper states, or as its public code does"},
    WEIGHT("choice", JUDO_REWARD_CHOICE),
    WEIGHT("format", JUDO_REWARD_FORMAT),
    WEIGHT("structure", JUDO_REWARD_STRUCTURE),
    WEIGHT("segmentation", JUDO_REWARD_SEGMENTATION),
    WEIGHT("domain", JUDO_REWARD_DOMAIN),
    {.key = "rewards.domain.threshold",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(judo_reward_config, domain_threshold),
     .default_text = "-2",
     .minimum = -2,
     .maximum = 1,
     .doc = "a cosine below it earns 0; -1: none; -2: as the definition says (paper 0.5, "
            "reference none)"},
    {.key = "rewards.domain.scale",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(judo_reward_config, domain_scale),
     .default_text = "-1",
     .minimum = -1,
     .maximum = 1000,
     .doc = "multiplies the cosine; -1: as the definition says (paper 1, reference 0.1)"},
    {.key = "rewards.format.scale",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(judo_reward_config, format_scale),
     .default_text = "-1",
     .minimum = -1,
     .maximum = 1000,
     .doc = "what a well-formed completion earns; -1: as the definition says (0.2)"},
    {.key = "rewards.structure.early_cap",
     .type = JUDO_CONFIG_FLOAT,
     .offset = offsetof(judo_reward_config, structure_early_cap),
     .default_text = "-1",
     .minimum = -1,
     .maximum = 1,
     .doc = "most that reasoning earns which names a letter in its first half; 1: no cap; -1: "
            "as the definition says (0.2)"},
    {.key = NULL},
};

static const judo_reward_rules definitions[JUDO_NUM_DEFINITIONS] = {
    [JUDO_DEFINITION_PAPER] =
        {
            .format_is_whole = true,
            .format_scale = 0.2,
            .structure = {.both_right = 1.0, .early_cap = 0.2},
            .segmentation = {.syntax = {.en_dash = true}, .floor = 0.2},
            .domain = {.threshold = 0.5, .scale = 1.0},
        },
    [JUDO_DEFINITION_REFERENCE] =
        {
            .format_scale = 0.2,
            .structure = {.both_right = 1.0,
                          .silent_right = 0.8,
                          .silent_wrong = 0.05,
                          .consistent_wrong = 0.1,
                          .lazy_is_zero = true,
                          .early_cap = 0.2},
            .segmentation = {.syntax = {.one_line = true},
                             .missing_is_empty = true,
                             .floor = 0.2},
            .domain = {.threshold = -1.0, .scale = 0.1, .needs_tags = true},
        },
};

static const judo_structure_rule anomalyr1_structure = {
    .both_right = 1.0,
    .silent_right = 0.8,
    .silent_wrong = 0.05,
    .consistent_wrong = 0.1,
    .needs_tags = true,
    .early_cap = 1.0,
};

static const double recipe_weights[JUDO_NUM_RECIPES][JUDO_NUM_REWARDS] = {
    [JUDO_RECIPE_JUDO] = {1, 1, 1, 1, 1},
    [JUDO_RECIPE_GRPO] = {[JUDO_REWARD_CHOICE] = 1, [JUDO_REWARD_FORMAT] = 1},
    [JUDO_RECIPE_ANOMALYR1] = {[JUDO_REWARD_CHOICE] = 1, [JUDO_REWARD_STRUCTURE] = 1},
};

void judo_reward_config_fields(size_t offset,
                               judo_config_field out[JUDO_REWARD_CONFIG_NUM_FIELDS + 1])
{
    for (int i = 0; i <= JUDO_REWARD_CONFIG_NUM_FIELDS; i++) {
        out[i] = fields[i];
        out[i].offset += offset;
    }
}

judo_reward_config judo_reward_config_of(judo_reward_recipe recipe,
                                         judo_reward_definition definition)
{
    return (judo_reward_config){
        .recipe = (int)recipe,
        .definition = (int)definition,
        .weights = {-1, -1, -1, -1, -1},
        .domain_threshold = -2,
        .domain_scale = -1,
        .format_scale = -1,
        .structure_early_cap = -1,
    };
}

judo_status judo_reward_rules_resolve(const judo_reward_config *config, judo_reward_rules *out)
{
    if (config->recipe < 0 || config->recipe >= JUDO_NUM_RECIPES || config->definition < 0 ||
        config->definition >= JUDO_NUM_DEFINITIONS) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "rewards: preset %d or definition %d is unknown",
                         config->recipe, config->definition);
    }
    judo_reward_rules rules = definitions[config->definition];
    if (config->recipe == JUDO_RECIPE_ANOMALYR1) {
        rules.choice_needs_tags = true;
        rules.chinese_keywords = true;
        rules.structure = anomalyr1_structure;
    }
    double sum = 0;
    for (int i = 0; i < JUDO_NUM_REWARDS; i++) {
        double weight = config->weights[i];
        rules.weights[i] = weight < 0 ? recipe_weights[config->recipe][i] : weight;
        sum += rules.weights[i];
    }
    if (!(sum > 0)) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG,
                         "rewards: every weight is 0, so nothing could be learnt; set "
                         "rewards.preset or a rewards.NAME.weight above 0");
    }
    if (config->domain_threshold >= -1) {
        rules.domain.threshold = config->domain_threshold;
    }
    if (config->domain_scale >= 0) {
        rules.domain.scale = config->domain_scale;
    }
    if (config->format_scale >= 0) {
        rules.format_scale = config->format_scale;
    }
    if (config->structure_early_cap >= 0) {
        rules.structure.early_cap = config->structure_early_cap;
    }
    *out = rules;
    return JUDO_OK;
}
