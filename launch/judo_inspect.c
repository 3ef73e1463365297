/* launch/judo_inspect.c: what a model directory, a dataset file or a checkpoint holds, and
 * whether it can be read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/inspect.h"
#include "launch/tool.h"

static const char help[] =
    "judo inspect: what a model directory, a dataset file or a checkpoint holds, and whether\n"
    "it can be read\n\n"
    "usage: judo inspect MODEL_DIR [--tensors] [--headers]\n"
    "       judo inspect DATASET.h5 [--headers]\n"
    "       judo inspect RUN/checkpoints/step-000500 [--model MODEL_DIR]\n\n"
    "Reads it whole. A model: the index and every tensor's name, shape and values (are all\n"
    "finite?). A dataset: every size, shape and index, every picture and mask. A checkpoint:\n"
    "every shard file's size, every tensor's checksums, every element there once.\n\n"
    "  --tensors        list every tensor with its shape\n"
    "  --headers        of a model or dataset, do not read weights or pictures\n"
    "  --model FOLDER   a checkpoint's tensors must be those of this model\n\n"
    "Ends with exit code 0 only if all that was looked at is sound; otherwise one line names\n"
    "the file and the tensor.\n";

static bool has_file(const char *folder, const char *name)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

static judo_status run(int argc, char **argv)
{
    judo_inspection what = {0};
    int count;
    struct stat facts;
    const judo_option options[] = {
        {"tensors", JUDO_OPTION_FLAG, &what.tensors},
        {"headers", JUDO_OPTION_FLAG, &what.headers},
        {"model", JUDO_OPTION_STRING, &what.model},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, 3, 1, 1, &what.path, &count));
    if (stat(what.path, &facts) != 0) {
        return JUDO_FAIL(
            JUDO_ERROR_IO,
            "%s: no such file or folder; give a model directory, a dataset or a checkpoint",
            what.path);
    }
    if (!S_ISDIR(facts.st_mode)) {
        return judo_inspect_dataset(&what);
    }
    if (has_file(what.path, "manifest.json")) {
        return judo_inspect_checkpoint(&what);
    }
    if (has_file(what.path, "config.json")) {
        return judo_inspect_model(&what);
    }
    return JUDO_FAIL(JUDO_ERROR_FORMAT,
                     "%s: neither a model directory (no config.json) nor a checkpoint (no "
                     "manifest.json); a run's checkpoints are "
                     "RUN/checkpoints/step-*",
                     what.path);
}

const judo_tool judo_tool_inspect = {
    .name = "inspect",
    .summary = "what a model, a dataset or a checkpoint holds",
    .help = help,
    .run = run,
};
