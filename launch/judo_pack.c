/* launch/judo_pack.c: published files to one dataset file. */
#include <stdio.h>
#include <string.h>

#include "data/pack.h"
#include "launch/tool.h"
#include "rewards/text_embedder.h"
#include "runtime/device_choice.h"

static const char help[] =
    "judo pack: pictures, masks and texts to one dataset file\n\n"
    "usage: judo pack OUTPUT.h5 --model MODEL_DIR [sources] [options]\n\n"
    "Pictures are resized once for the model's image processor; a dataset packed for another "
    "processor is refused when opened. PNG and JPEG files are read as Pillow's "
    "convert(\"RGB\") reads them: an EXIF orientation is not applied, transparency is "
    "dropped, 16-bit grey is cut at 255.\n\n"
    "sources, any of:\n"
    "  --stage1 FILE    JSON lines of stage 1: item_type, image_path, mask_path, "
    "normal_image_path, gt\n"
    "  --stage2 FILE    JSON lines of stage 2: image, problem, solution\n"
    "  --stage3 FILE    JSON lines of stage 3: image, template_image, mask_path, problem, "
    "solution, gt, domain_gt\n"
    "  --mmad FILE      mmad.json: questions with options, for evaluation\n"
    "  --domain FILE    domain_knowledge.json, for the questions of --mmad\n"
    "  --root FOLDER    what paths in these files are relative to; default: the current "
    "folder\n\n"
    "options:\n"
    "  --cells RULE     paper: any pixel marks a cell (default); reference: the public code's "
    "2% rules\n"
    "  --template HOW   first (default) or random: which normal picture of mmad.json goes with "
    "a query\n"
    "  --pre-resize N   first to N x N by Lanczos (the public code: 512)\n"
    "  --minilm FOLDER  also store embeddings of the rationales (launch/get-minilm)\n"
    "  --device NAME    what computes them: cpu, cuda, or auto (default): cuda where it works\n"
    "  --limit N        at most N samples of each source\n"
    "  --skip-missing   leave out and count rows whose pictures are missing or damaged, "
    "instead of an error\n"
    "  --seed N         for --template random\n";

typedef struct pack_arguments {
    const char *model, *cells, *template_choice, *minilm, *device;
    int64_t pre_resize, seed;
} pack_arguments;

static judo_status embed_rationale(void *context, const char *text,
                                   float out[JUDO_RATIONALE_VALUES])
{
    size_t length = strlen(text);
    return judo_text_embedder_embed(context, &text, &length, 1, out);
}

static judo_status pick(const char *option, const char *value, const char *first,
                        const char *second, int *out)
{
    if (strcmp(value, first) != 0 && strcmp(value, second) != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--%s '%s' is neither %s nor %s", option, value,
                         first, second);
    }
    *out = strcmp(value, second) == 0;
    return JUDO_OK;
}

static judo_status pack_with(const judo_pack_options *asked, const pack_arguments *arguments)
{
    judo_pack_options pack = *asked;
    char path[1200];
    int cells = 0, choice = 0;
    judo_image_processor processor;
    judo_text_embedder *embedder = NULL;
    if (!arguments->model) {
        return JUDO_FAIL(
            JUDO_ERROR_ARGUMENT,
            "--model names the model whose image processor the pictures are resized for");
    }
    JUDO_TRY(pick("cells", arguments->cells, "paper", "reference", &cells));
    JUDO_TRY(pick("template", arguments->template_choice, "first", "random", &choice));
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", arguments->model);
    JUDO_TRY(judo_image_processor_load(path, (int32_t)arguments->pre_resize, &processor));
    if (arguments->minilm) {
        const judo_device *device;
        JUDO_TRY(judo_device_choose_named(arguments->device, "--device", &device));
        JUDO_TRY(judo_text_embedder_open(arguments->minilm, JUDO_F32, device, &embedder));
        pack.embed = embed_rationale;
        pack.embed_context = embedder;
    }
    pack.processor = &processor;
    pack.cells = (judo_pack_cells)cells;
    pack.template_choice = (judo_pack_template)choice;
    pack.seed = (uint64_t)arguments->seed;
    judo_status status = judo_pack(&pack, NULL);
    judo_text_embedder_close(&embedder);
    return status;
}

static judo_status run(int argc, char **argv)
{
    pack_arguments arguments = {.cells = "paper", .template_choice = "first", .device = "auto"};
    judo_pack_options pack = {.made_by = "judo pack " JUDO_VERSION, .image_root = "."};
    const judo_option options[] = {
        {"model", JUDO_OPTION_STRING, &arguments.model},
        {"stage1", JUDO_OPTION_STRING, &pack.stage1},
        {"stage2", JUDO_OPTION_STRING, &pack.stage2},
        {"stage3", JUDO_OPTION_STRING, &pack.stage3},
        {"mmad", JUDO_OPTION_STRING, &pack.mmad_json},
        {"domain", JUDO_OPTION_STRING, &pack.domain_knowledge},
        {"root", JUDO_OPTION_STRING, &pack.image_root},
        {"cells", JUDO_OPTION_STRING, &arguments.cells},
        {"template", JUDO_OPTION_STRING, &arguments.template_choice},
        {"pre-resize", JUDO_OPTION_INT, &arguments.pre_resize},
        {"minilm", JUDO_OPTION_STRING, &arguments.minilm},
        {"device", JUDO_OPTION_STRING, &arguments.device},
        {"limit", JUDO_OPTION_INT, &pack.limit},
        {"skip-missing", JUDO_OPTION_FLAG, &pack.skip_missing},
        {"seed", JUDO_OPTION_INT, &arguments.seed},
    };
    int count;
    JUDO_TRY(judo_options_parse(argc, argv, options, (int)(sizeof options / sizeof options[0]),
                                1, 1, &pack.output, &count));
    if (!pack.stage1 && !pack.stage2 && !pack.stage3 && !pack.mmad_json) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "nothing to pack; give --stage1, --stage2, --stage3 or --mmad");
    }
    return pack_with(&pack, &arguments);
}

const judo_tool judo_tool_pack = {
    .name = "pack",
    .summary = "pictures, masks and texts to one dataset file",
    .help = help,
    .run = run,
};
