/* launch/judo_init.c: a small Qwen2.5-VL from nothing: tokenizer, configuration, random
 * weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/bpe_train.h"
#include "launch/new_model.h"
#include "launch/tool.h"
#include "models/checkpoint_directory.h"
#include "models/layout.h"
#include "models/random_init.h"
#include "runtime/file.h"
#include "runtime/log.h"

static const char help[] =
    "judo init: a small Qwen2.5-VL model directory from nothing\n\n"
    "usage: judo init MODEL_DIR TEXTS.jsonl [TEXTS.jsonl ...] [options]\n\n"
    "Trains a byte-level BPE tokenizer with Qwen's special tokens on all strings of the JSON "
    "lines, writes the configuration in\n"
    "the hub's layout, and random weights. Transformers loads the directory like any other "
    "Qwen2.5-VL.\n\n"
    "  --vocab N          tokens to learn beside the special ones, default 1000\n"
    "  --seed N           of the weights, default 1\n"
    "  --hidden N         decoder width, default 192       --vision-hidden N   default 128\n"
    "  --layers N         decoder blocks, default 4        --vision-depth N    default 4\n"
    "  --heads N          query heads, default 4           --vision-heads N    default 4\n"
    "  --kv-heads N       key heads, default 2             --vision-ffn N      default 344\n"
    "  --ffn N            feed-forward width, default 512\n";

/* Adds every string below `item` to the trainer. */
static judo_status add_strings(judo_bpe_trainer *trainer, const judo_json *item, int depth)
{
    if (depth > 16) {
        return JUDO_OK;
    }
    if (judo_json_is_string(item)) {
        const char *text;
        JUDO_TRY(judo_json_as_string(item, "text", &text));
        return judo_bpe_trainer_add(trainer, text, strlen(text));
    }
    for (const judo_json *child = judo_json_first(item); child; child = judo_json_next(child)) {
        JUDO_TRY(add_strings(trainer, child, depth + 1));
    }
    return JUDO_OK;
}

static judo_status add_row(void *context, const judo_json *row, int64_t line)
{
    (void)line;
    return add_strings(context, row, 0);
}

/* The prompts' own words are part of the language that the model reads. */
static judo_status train_tokenizer(const char *folder, const char *const *texts, int num_texts,
                                   int64_t vocab, int64_t *special_base)
{
    judo_bpe_trainer *trainer = NULL;
    judo_bpe_trained trained = {0};
    JUDO_TRY(judo_bpe_trainer_open(&trainer));
    judo_status status = JUDO_OK;
    for (int i = 0; i < num_texts && status == JUDO_OK; i++) {
        status = judo_json_each_line(texts[i], add_row, trainer);
    }
    if (status == JUDO_OK) {
        status = judo_bpe_trainer_run(trainer, (int32_t)vocab, &trained);
    }
    if (status == JUDO_OK) {
        *special_base = trained.tokens.count;
        status = judo_file_make_folder(folder);
    }
    if (status == JUDO_OK) {
        status = judo_tokenizer_write(folder, &trained);
    }
    judo_bpe_trained_free(&trained);
    judo_bpe_trainer_close(&trainer);
    return status;
}

static judo_status write_weights(const char *folder, uint64_t seed)
{
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    judo_model_writer *writer = NULL;
    judo_random_init init = {.seed = seed, .deviation = 0.04};
    judo_weight_source source = judo_random_init_source(&init);
    JUDO_TRY(judo_qwen_config_load(folder, &config));
    judo_freeze freeze = {0};
    JUDO_TRY(judo_qwen_layout_create(&config, &freeze, &layout));
    judo_status status = judo_model_writer_create(folder, layout, JUDO_F32, 0, &writer);
    if (status == JUDO_OK) {
        status = judo_model_writer_begin(writer);
    }
    int64_t total = 0;
    for (int p = 0; p < layout->num_params && status == JUDO_OK; p++) {
        const judo_param *param = &layout->params[p];
        float *values = malloc((size_t)param->count * sizeof *values);
        status = values ? source.read(source.context, param, 0, param->count, values)
                        : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %s", param->name);
        if (status == JUDO_OK) {
            status = judo_model_writer_write(writer, p, 0, param->count, values);
        }
        total += param->count;
        free(values);
    }
    if (status == JUDO_OK) {
        status = judo_model_writer_sync(writer);
    }
    if (status == JUDO_OK) {
        status = judo_model_writer_end(writer);
    }
    if (status == JUDO_OK) {
        JUDO_INFO("%s: %.2f million parameters, %lld vocabulary rows", folder,
                  1e-6 * (double)total, (long long)config.text.vocab_size);
    }
    judo_model_writer_destroy(&writer);
    judo_qwen_layout_destroy(&layout);
    return status;
}

static int64_t embedding_rows(int64_t special_base)
{
    return (special_base + JUDO_QWEN_ADDED_TOKENS + 15) / 16 * 16;
}

/* Before the first file. The tokenizer's size is not known yet: as if all asked for are found.
 */
static judo_status check_sizes(judo_new_model m, int64_t vocab)
{
    if (m.hidden < 8 || m.heads < 1 || m.hidden % m.heads != 0 ||
        m.hidden / m.heads % 16 != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "--hidden %lld must be --heads %lld times a multiple of 16",
                         (long long)m.hidden, (long long)m.heads);
    }
    if (vocab < 256 || vocab > 200000) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--vocab %lld must be 256 to 200000",
                         (long long)vocab);
    }
    m.special_base = vocab;
    m.vocab = embedding_rows(vocab);
    return judo_new_model_check(&m);
}

static judo_status run(int argc, char **argv)
{
    enum { MOST_FILES = 64 };

    const char *files[MOST_FILES];
    int count;
    int64_t vocab = 1000, seed = 1;
    judo_new_model m = {.hidden = 192,
                        .layers = 4,
                        .heads = 4,
                        .kv_heads = 2,
                        .ffn = 512,
                        .vision_hidden = 128,
                        .vision_depth = 4,
                        .vision_heads = 4,
                        .vision_ffn = 344};
    const judo_option options[] = {
        {"vocab", JUDO_OPTION_INT, &vocab},
        {"seed", JUDO_OPTION_INT, &seed},
        {"hidden", JUDO_OPTION_INT, &m.hidden},
        {"layers", JUDO_OPTION_INT, &m.layers},
        {"heads", JUDO_OPTION_INT, &m.heads},
        {"kv-heads", JUDO_OPTION_INT, &m.kv_heads},
        {"ffn", JUDO_OPTION_INT, &m.ffn},
        {"vision-hidden", JUDO_OPTION_INT, &m.vision_hidden},
        {"vision-depth", JUDO_OPTION_INT, &m.vision_depth},
        {"vision-heads", JUDO_OPTION_INT, &m.vision_heads},
        {"vision-ffn", JUDO_OPTION_INT, &m.vision_ffn},
    };
    JUDO_TRY(judo_options_parse(argc, argv, options, (int)(sizeof options / sizeof options[0]),
                                2, MOST_FILES, files, &count));
    JUDO_TRY(check_sizes(m, vocab));
    JUDO_TRY(train_tokenizer(files[0], files + 1, count - 1, vocab, &m.special_base));
    m.vocab = embedding_rows(m.special_base);
    JUDO_TRY(judo_new_model_write_configs(files[0], &m));
    return write_weights(files[0], (uint64_t)seed);
}

const judo_tool judo_tool_init = {
    .name = "init",
    .summary = "a small Qwen2.5-VL model directory from nothing",
    .help = help,
    .run = run,
};
