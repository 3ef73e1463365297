/* launch/judo_reward.c: rewards of given completions. */
#include <stdio.h>
#include <string.h>

#include "launch/tool.h"
#include "rewards/reward_filter.h"
#include "rewards/text_embedder.h"
#include "runtime/device_choice.h"

static const char help[] =
    "judo reward: the rewards of stage 3 for given completions\n\n"
    "usage: judo reward [--input FILE] [options]\n\n"
    "Reads JSON lines and answers each with one:\n"
    "  {\"completion\": \"<think>..</think><answer>B</answer>\", \"answer\": \"B\",\n"
    "   \"cells\": \"(3,7)-(3,8)\", \"rationale\": \"...\", \"cosine\": 0.7, \"id\": 1}\n"
    "  -> {\"id\", \"rewards\": {\"choice\", \"format\", \"structure\", \"segmentation\",\n"
    "      \"domain\"}, \"total\", \"predicted_answer\", \"think_answer\", \"cells\",\n"
    "      \"cells_state\", \"cosine\"}\n"
    "Only completion and answer are needed. Without cells the picture is a normal one. A\n"
    "reward that does not apply is null: domain without a rationale, or without --minilm and\n"
    "a cosine.\n\n"
    "  --input FILE        instead of standard input\n"
    "  --minilm FOLDER     all-MiniLM-L6-v2, for the domain reward (launch/get-minilm)\n"
    "  --device NAME       what MiniLM computes on: cpu, cuda, or auto (default): cuda where\n"
    "                      it works; the rest of a score is the CPU's\n"
    "  --preset NAME       which rewards count: judo (default, all five), grpo or anomalyr1\n"
    "  --definition NAME   paper (default), or reference: as the public code computes them\n\n"
    "example:\n"
    "  echo '{\"completion\": \"<answer>A</answer>\", \"answer\": \"A\"}' | judo reward\n";

typedef struct reward {
    judo_reward_rules rules;
    judo_text_embedder *encoder;
    judo_embedder embedder;
} reward;

/* The position of `value` among `names` (judo_reward_recipe, judo_reward_definition). */
static judo_status index_of(const char *option, const char *value, const char *const *names,
                            int count, int *out)
{
    char list[128] = "";
    for (int i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = i;
            return JUDO_OK;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s '%s' is none of %s", option, value, list);
}

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    reward *self = context;
    return judo_reward_filter_row(&self->rules, self->encoder ? &self->embedder : NULL, request,
                                  source, answer);
}

static judo_status run(int argc, char **argv)
{
    static const char *const presets[JUDO_NUM_RECIPES] = {"judo", "grpo", "anomalyr1"};
    static const char *const definitions[JUDO_NUM_DEFINITIONS] = {"paper", "reference"};
    const char *input = NULL, *minilm = NULL, *preset = presets[0],
               *definition = definitions[0], *device_name = "auto";
    int count, recipe = 0, how = 0;
    reward self = {0};
    judo_device_choice choice;
    const judo_device *device;
    const judo_option options[] = {
        {"input", JUDO_OPTION_STRING, &input},
        {"minilm", JUDO_OPTION_STRING, &minilm},
        {"preset", JUDO_OPTION_STRING, &preset},
        {"definition", JUDO_OPTION_STRING, &definition},
        {"device", JUDO_OPTION_STRING, &device_name},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 5, 0, 0, NULL, &count));
    JUDO_TRY(index_of("preset", preset, presets, JUDO_NUM_RECIPES, &recipe));
    JUDO_TRY(index_of("definition", definition, definitions, JUDO_NUM_DEFINITIONS, &how));
    JUDO_TRY(judo_device_parse(device_name, "--device", &choice));
    judo_reward_config config =
        judo_reward_config_of((judo_reward_recipe)recipe, (judo_reward_definition)how);
    JUDO_TRY(judo_reward_rules_resolve(&config, &self.rules));
    if (minilm) {
        JUDO_TRY(judo_device_choose(choice, 0, &device));
        JUDO_TRY(judo_text_embedder_open(minilm, JUDO_F32, device, &self.encoder));
        self.embedder = judo_text_embedder_base(self.encoder);
    }
    judo_status status = judo_filter_run(input, answer_request, &self);
    judo_text_embedder_close(&self.encoder);
    return status;
}

const judo_tool judo_tool_reward = {
    .name = "reward",
    .summary = "the rewards of stage 3 for given completions",
    .help = help,
    .run = run,
};
