/* launch/judo.c: the tool beside the jobs: data, models and single pieces by hand. */
#include "launch/tool.h"

static const judo_tool *const tools[] = {
    &judo_tool_synth,    &judo_tool_init,   &judo_tool_pack,     &judo_tool_inspect,
    &judo_tool_tokenize, &judo_tool_score,  &judo_tool_generate, &judo_tool_embed,
    &judo_tool_cells,    &judo_tool_reward, &judo_tool_report,   &judo_tool_scaling,
    &judo_tool_doctor,   &judo_tool_plan,
};

int main(int argc, char **argv)
{
    const judo_toolbox toolbox = {
        .name = "judo",
        .summary = "training for industrial anomaly question answering",
        .more = "`judo COMMAND --help` explains each. Training: judo_stage1, judo_stage2, "
                "judo_stage3; evaluation: judo_eval.",
        .tools = tools,
        .num_tools = sizeof tools / sizeof tools[0],
    };
    return judo_toolbox_main(&toolbox, argc, argv);
}
