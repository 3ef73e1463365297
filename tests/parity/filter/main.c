/* tests/parity/filter/main.c: judo_parity, commands that show single quantities to the parity
 * runner. They are not part of the product: what users need is in `judo`. */
#include "launch/tool.h"
#include "tests/parity/filter/filters.h"

static const judo_tool *const tools[] = {
    &judo_parity_advantages,      &judo_parity_generate,    &judo_parity_gradients,
    &judo_parity_labels,          &judo_parity_layout,      &judo_parity_patch_positions,
    &judo_parity_patches,         &judo_parity_policy_loss, &judo_parity_resize,
    &judo_parity_sample,          &judo_parity_save,        &judo_parity_sft_loss,
    &judo_parity_token_positions, &judo_parity_train,
};

int main(int argc, char **argv)
{
    const judo_toolbox toolbox = {
        .name = "judo_parity",
        .summary = "single quantities for tests/parity",
        .more = "Each command reads JSON lines and answers each with one.",
        .tools = tools,
        .num_tools = sizeof tools / sizeof tools[0],
    };
    return judo_toolbox_main(&toolbox, argc, argv);
}
