/* launch/judo_synth.c: draws a data set. */
#include "data/synth.h"
#include "launch/tool.h"

static const char help[] =
    "judo synth: draws an industrial inspection data set in MMAD's layout\n\n"
    "usage: judo synth FOLDER [options]\n\n"
    "Pictures with pixel masks, questions of all seven MMAD subtasks, domain knowledge and "
    "teacher texts for the three stages,\n"
    "split into training and held-out pictures. Everything is a pure function of the seed.\n\n"
    "  --seed N       default 1\n"
    "  --size N       side of the pictures in pixels, default 224\n"
    "  --train N      training pictures for each object and defect (and for good)\n"
    "  --heldout N    held-out pictures likewise\n"
    "  --normals N    normal templates for each object\n"
    "  --pretrain N   extra scenes for pretrain.jsonl, the base model's lessons; 0: none\n";

static judo_status run(int argc, char **argv)
{
    judo_synth_options synth = judo_synth_defaults();
    int64_t seed = (int64_t)synth.seed, size = synth.size, train = synth.train_per_kind,
            heldout = synth.heldout_per_kind, normals = synth.normals,
            pretrain = synth.pretrain_scenes;
    const judo_option options[] = {
        {"seed", JUDO_OPTION_INT, &seed},       {"size", JUDO_OPTION_INT, &size},
        {"train", JUDO_OPTION_INT, &train},     {"heldout", JUDO_OPTION_INT, &heldout},
        {"normals", JUDO_OPTION_INT, &normals}, {"pretrain", JUDO_OPTION_INT, &pretrain},
    };
    int count;
    JUDO_TRY(judo_options_parse(argc, argv, options, 6, 1, 1, &synth.folder, &count));
    const int64_t most = 1000000;
    if (size > most || train > most || heldout > most || normals > most || pretrain > most ||
        seed < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a number is out of range; see judo synth --help");
    }
    synth.seed = (uint64_t)seed;
    synth.size = (int32_t)size;
    synth.train_per_kind = (int32_t)train;
    synth.heldout_per_kind = (int32_t)heldout;
    synth.normals = (int32_t)normals;
    synth.pretrain_scenes = (int32_t)pretrain;
    return judo_synth_write(&synth);
}

const judo_tool judo_tool_synth = {
    .name = "synth",
    .summary = "draws an industrial inspection data set in MMAD's layout",
    .help = help,
    .run = run,
};
