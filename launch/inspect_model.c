/* launch/inspect_model.c: sizes, parameters by part and weights of a model directory. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/image_processor.h"
#include "data/tokenizer.h"
#include "launch/inspect.h"
#include "models/checkpoint_directory.h"
#include "models/layout.h"
#include "runtime/log.h"

/* Parts of the model in the layout's order of units. */
enum part { EMBEDDINGS, VISION, MERGER, DECODER, HEAD, NUM_PARTS };

static const char *const part_titles[NUM_PARTS] = {"embeddings", "vision tower", "merger",
                                                   "decoder", "head"};

static enum part part_of(const judo_qwen_units *units, int unit)
{
    return unit == units->embed           ? EMBEDDINGS
           : unit == units->merger        ? MERGER
           : unit == units->head          ? HEAD
           : unit >= units->first_decoder ? DECODER
                                          : VISION;
}

static void print_config(const judo_qwen_config *c)
{
    const judo_qwen_text_config *t = &c->text;
    const judo_qwen_vision_config *v = &c->vision;
    printf("decoder       %" PRId64 " blocks, %" PRId64 " wide, %" PRId64 " query and %" PRId64
           " key heads of %" PRId64 ", feed-forward %" PRId64 "\n",
           t->num_layers, t->hidden_size, t->num_heads, t->num_kv_heads, t->head_dim,
           t->intermediate_size);
    printf("vision        %" PRId64 " blocks, %" PRId64 " wide, %" PRId64
           " heads, feed-forward %" PRId64 ", patches of %" PRId64
           " pixels, windows of %" PRId64 "\n",
           v->depth, v->hidden_size, v->num_heads, v->intermediate_size, v->patch_size,
           v->window_size);
    printf("vocabulary    %" PRId64 " rows, head %s\n", t->vocab_size,
           t->tie_word_embeddings ? "tied to the embeddings" : "of its own");
}

static judo_status print_tokenizer(const char *folder)
{
    char path[4096];
    judo_tokenizer *tokenizer = NULL;
    judo_special_ids specials;
    judo_image_processor processor;
    (void)snprintf(path, sizeof path, "%s/preprocessor_config.json", folder);
    JUDO_TRY(judo_tokenizer_open(folder, &tokenizer));
    judo_status status = judo_tokenizer_specials(tokenizer, &specials);
    int32_t size = judo_tokenizer_size(tokenizer);
    judo_tokenizer_close(&tokenizer);
    JUDO_TRY(status);
    printf("tokenizer     %d ids, <|im_end|> is %d, <|image_pad|> %d\n", size, specials.im_end,
           specials.image_pad);
    JUDO_TRY(judo_image_processor_load(path, 0, &processor));
    printf("pictures      %" PRId64 " to %" PRId64 " pixels, fingerprint %s\n",
           processor.min_pixels, processor.max_pixels, processor.fingerprint);
    return JUDO_OK;
}

static void print_parameters(const judo_qwen_config *config, const judo_param_layout *layout,
                             bool tensors)
{
    judo_qwen_units units = judo_qwen_units_of(config);
    int64_t counts[NUM_PARTS] = {0};
    int64_t total = 0;
    for (int u = 0; u < layout->num_units; u++) {
        counts[part_of(&units, u)] += layout->units[u].count;
        total += layout->units[u].count;
    }
    printf("parameters    %" PRId64 " in %d tensors\n", total, layout->num_params);
    for (int part = 0; part < NUM_PARTS; part++) {
        printf("  %-12s %14" PRId64 "  %5.1f %%\n", part_titles[part], counts[part],
               100.0 * (double)counts[part] / (double)total);
    }
    for (int p = 0; p < layout->num_params && tensors; p++) {
        const judo_param *param = &layout->params[p];
        printf("  %s [", param->name);
        for (int d = 0; d < param->num_dims; d++) {
            printf("%s%" PRId64, d ? ", " : "", param->dims[d]);
        }
        printf("]\n");
    }
}

typedef struct weight_check {
    const char *folder;
    const judo_weight_source *source;
    float *piece;
    double sum_of_squares;
    judo_progress progress;
} weight_check;

enum { PIECE_COUNT = 1 << 20 };

/* Reads a tensor in pieces. */
static judo_status check_tensor(weight_check *self, const judo_param *param)
{
    for (int64_t first = 0; first < param->count; first += PIECE_COUNT) {
        int64_t count = param->count - first < PIECE_COUNT ? param->count - first : PIECE_COUNT;
        JUDO_TRY(self->source->read(self->source->context, param, first, count, self->piece));
        for (int64_t i = 0; i < count; i++) {
            if (!isfinite(self->piece[i])) {
                return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                                 "%s: %s: element %" PRId64
                                 " is not finite; the model is damaged",
                                 self->folder, param->name, first + i);
            }
            self->sum_of_squares += (double)self->piece[i] * (double)self->piece[i];
        }
        judo_progress_update(&self->progress, self->progress.done + count, NULL);
    }
    return JUDO_OK;
}

static judo_status check_weights(const char *folder, const judo_weight_source *source,
                                 const judo_param_layout *layout)
{
    weight_check self = {.folder = folder, .source = source};
    int64_t total = 0;
    for (int p = 0; p < layout->num_params; p++) {
        total += layout->params[p].count;
    }
    self.piece = malloc(PIECE_COUNT * sizeof *self.piece);
    if (!self.piece) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory to read weights");
    }
    judo_status status = JUDO_OK;
    judo_progress_begin(&self.progress, folder, "weights", total);
    for (int p = 0; p < layout->num_params && status == JUDO_OK; p++) {
        status = check_tensor(&self, &layout->params[p]);
    }
    judo_progress_end(&self.progress);
    free(self.piece);
    if (status == JUDO_OK) {
        printf("check         all weights are finite; their norm is %.6g\n",
               sqrt(self.sum_of_squares));
    }
    return status;
}

static judo_status describe(const judo_inspection *what, const judo_qwen_config *config,
                            const judo_param_layout *layout)
{
    judo_weight_source source = {0};
    printf("model         %s\n", what->path);
    print_config(config);
    JUDO_TRY(print_tokenizer(what->path));
    print_parameters(config, layout, what->tensors);
    JUDO_TRY(judo_model_source_open(what->path, layout, &source));
    printf("weights       every tensor is there with its shape\n");
    judo_status status = what->headers ? JUDO_OK : check_weights(what->path, &source, layout);
    judo_model_source_close(&source);
    return status;
}

judo_status judo_inspect_model(const judo_inspection *what)
{
    judo_qwen_config config;
    judo_param_layout *layout = NULL;
    judo_freeze freeze = {0};
    JUDO_TRY(judo_qwen_config_load(what->path, &config));
    JUDO_TRY(judo_qwen_layout_create(&config, &freeze, &layout));
    judo_status status = describe(what, &config, layout);
    judo_qwen_layout_destroy(&layout);
    return status;
}
