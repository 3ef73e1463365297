/* tests/bench/peers/program/main.c: judo_bench_peer, judo's side of the comparison. Each
 * command opens its model and inputs, then measures once for each JSON line that it reads, so
 * that the runner can take turns with the other side. */
#include "tests/bench/peers/program/commands.h"

static const judo_tool *const tools[] = {
    &judo_peer_samples, &judo_peer_train,  &judo_peer_generate,
    &judo_peer_embed,   &judo_peer_images, &judo_peer_tokenize,
};

int main(int argc, char **argv)
{
    const judo_toolbox toolbox = {
        .name = "judo_bench_peer",
        .summary = "judo's side of tests/bench/peers",
        .more = "OMP_NUM_THREADS sets the threads; each JSON line of input is one measurement.",
        .tools = tools,
        .num_tools = sizeof tools / sizeof tools[0],
    };
    return judo_toolbox_main(&toolbox, argc, argv);
}
