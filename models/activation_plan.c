/* models/activation_plan.c: the buffers of a pass and of its phases. */
#include "models/activation_plan.h"

#include <stdlib.h>

#include "models/decoder_block.h"
#include "models/input_staging.h"
#include "models/vision_block.h"

judo_status judo_activations_create(const judo_qwen_config *config, judo_activations *out)
{
    size_t depth = (size_t)config->vision.depth;
    size_t layers = (size_t)config->text.num_layers;
    judo_activations a = {
        .vision_inputs = calloc(depth + 1, sizeof *a.vision_inputs),
        .decoder_inputs = calloc(layers + 1, sizeof *a.decoder_inputs),
        .vision_saved = calloc(depth, sizeof *a.vision_saved),
        .decoder_saved = calloc(layers, sizeof *a.decoder_saved),
    };
    if (!a.vision_inputs || !a.decoder_inputs || !a.vision_saved || !a.decoder_saved) {
        judo_activations_destroy(&a);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the list of activations");
    }
    *out = a;
    return JUDO_OK;
}

void judo_activations_destroy(judo_activations *activations)
{
    free(activations->vision_inputs);
    free(activations->decoder_inputs);
    free(activations->vision_saved);
    free(activations->decoder_saved);
    *activations = (judo_activations){0};
}

/* Inputs of `blocks` blocks and the last output: all of them when a backward pass will want
 * them, else two that take turns. */
static void take_inputs(judo_activation_arena *arena, judo_dtype dtype, int64_t blocks,
                        bool keep, int64_t rows, int64_t columns, judo_tensor *inputs)
{
    for (int64_t i = 0; i <= blocks; i++) {
        bool fresh = keep || i < 2;
        inputs[i] = fresh ? judo_arena_take_2d(arena, dtype, rows, columns) : inputs[i - 2];
    }
}

/* The parts that stay from the forward to the backward pass; the phase has room for the others.
 */
static judo_block_parts kept_parts(judo_recompute recompute)
{
    return recompute == JUDO_RECOMPUTE_UNIT        ? JUDO_BLOCK_NOTHING
           : recompute == JUDO_RECOMPUTE_SELECTIVE ? JUDO_BLOCK_COSTLY
                                                   : JUDO_BLOCK_ALL;
}

static void take_saved(judo_activation_arena *arena, judo_dtype dtype, int64_t blocks,
                       const judo_block_shape *shape, judo_recompute recompute, int64_t rows,
                       judo_block_saved *saved)
{
    for (int64_t i = 0; i < blocks; i++) {
        saved[i] = judo_block_saved_take(arena, shape, rows, dtype, kept_parts(recompute));
    }
}

judo_recompute judo_recompute_of(const judo_activation_options *options, bool reached)
{
    return options->backward && reached ? options->recompute : JUDO_RECOMPUTE_UNIT;
}

/* What the host writes and the device reads. */
static void take_written(judo_activation_arena *arena, const judo_qwen_config *config,
                         const judo_activation_options *options,
                         const judo_activation_counts *n, judo_activations *out)
{
    int64_t text = config->text.head_dim / 2;
    int64_t vision = config->vision.head_dim / 2;
    out->text_cos = judo_arena_take_2d(arena, JUDO_F32, n->tokens, text);
    /* The arrays in `out` are freed with its plan.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    out->text_sin = judo_arena_take_2d(arena, JUDO_F32, n->tokens, text);
    out->vision_cos = judo_arena_take_2d(arena, JUDO_F32, n->patches, vision);
    out->vision_sin = judo_arena_take_2d(arena, JUDO_F32, n->patches, vision);
    out->pixels = judo_arena_take_1d(
        arena, JUDO_U8, options->separate ? n->patches * judo_qwen_patch_bytes(config) : 0);
}

static int64_t staging_bytes(const judo_activations *a)
{
    return judo_staging_bytes(&a->text_cos) + judo_staging_bytes(&a->text_sin) +
           judo_staging_bytes(&a->vision_cos) + judo_staging_bytes(&a->vision_sin) +
           judo_staging_bytes(&a->pixels);
}

static void take_lists(judo_activation_arena *lists, const judo_activation_counts *n,
                       judo_activations *out)
{
    int64_t id = (int64_t)sizeof(int32_t);
    int64_t span = (int64_t)sizeof(judo_attention_span);
    out->order = (judo_vision_order){
        .window_index = judo_arena_take(lists, n->visual * id),
        .rows = judo_arena_take(lists, n->patches * id),
        .columns = judo_arena_take(lists, n->patches * id),
        .windows = judo_arena_take(lists, n->visual * span),
        .frames = judo_arena_take(lists, n->visual * span),
    };
    out->squares = judo_arena_take(lists, n->visual * (int64_t)sizeof *out->squares);
    out->splice = judo_arena_take(lists, n->visual * id);
}

void judo_activations_take(judo_activation_arena *arena, judo_activation_arena *lists,
                           const judo_qwen_config *config,
                           const judo_activation_options *options,
                           const judo_activation_counts *n, judo_activations *out)
{
    judo_block_shape vision = judo_vision_block_shape(&config->vision);
    judo_block_shape decoder = judo_decoder_block_shape(&config->text);
    judo_dtype dtype = options->dtype;
    bool tower_back = options->backward && options->reach.tower;
    bool merger_back = options->backward && options->reach.merger;
    bool decoder_back = options->backward && options->reach.decoder;
    take_written(arena, config, options, n, out);
    take_lists(lists, n, out);
    out->visual = judo_arena_take_2d(arena, dtype, n->visual, decoder.hidden);
    take_inputs(arena, dtype, config->vision.depth, tower_back, n->patches, vision.hidden,
                out->vision_inputs);
    take_inputs(arena, dtype, config->text.num_layers, decoder_back, n->tokens, decoder.hidden,
                out->decoder_inputs);
    out->d_vision =
        judo_arena_take_2d(arena, dtype, merger_back ? n->patches : 0, vision.hidden);
    out->d_text =
        judo_arena_take_2d(arena, dtype, decoder_back ? n->tokens : 0, decoder.hidden);
    take_saved(arena, dtype, config->vision.depth, &vision,
               judo_recompute_of(options, options->reach.tower), n->patches, out->vision_saved);
    bool merger_kept = judo_recompute_of(options, options->reach.merger) != JUDO_RECOMPUTE_UNIT;
    out->merger_saved =
        judo_merger_saved_take(arena, config, merger_kept ? n->visual : 0, dtype);
    take_saved(arena, dtype, config->text.num_layers, &decoder,
               judo_recompute_of(options, options->reach.decoder), n->tokens,
               out->decoder_saved);
}

judo_tensor judo_patch_phase_take(judo_activation_arena *arena, const judo_qwen_config *config,
                                  judo_dtype dtype, int64_t patches)
{
    return judo_arena_take_2d(arena, dtype, patches, judo_qwen_patch_values(config));
}

judo_tensor judo_splice_phase_take(judo_activation_arena *arena, const judo_qwen_config *config,
                                   judo_dtype dtype, int64_t visual)
{
    return judo_arena_take_2d(arena, dtype, visual, config->text.hidden_size);
}

judo_merger_phase judo_merger_phase_take(judo_activation_arena *arena,
                                         const judo_qwen_config *config, judo_dtype dtype,
                                         int64_t visual)
{
    int64_t wide = judo_qwen_merge_unit(config) * config->vision.hidden_size;
    return (judo_merger_phase){
        .saved = judo_merger_saved_take(arena, config, visual, dtype),
        .scratch = judo_arena_take_2d(arena, dtype, visual, wide),
    };
}

judo_block_phase judo_block_phase_take(judo_activation_arena *arena,
                                       const judo_block_shape *shape, judo_dtype dtype,
                                       judo_recompute recompute, int64_t rows)
{
    judo_block_parts parts = (judo_block_parts)(JUDO_BLOCK_ALL - kept_parts(recompute));
    return (judo_block_phase){
        .recompute = recompute,
        .saved = judo_block_saved_take(arena, shape, rows, dtype, parts),
        .scratch = judo_block_scratch_take(arena, shape, rows, dtype),
    };
}

judo_block_saved *judo_block_phase_saved(judo_block_phase *phase, judo_block_saved *kept)
{
    if (phase->recompute == JUDO_RECOMPUTE_UNIT) {
        return &phase->saved;
    }
    if (phase->recompute == JUDO_RECOMPUTE_SELECTIVE) {
        judo_block_saved_share(kept, &phase->saved);
    }
    return kept;
}

judo_head_phase judo_head_phase_take(judo_activation_arena *arena,
                                     const judo_qwen_config *config, judo_dtype dtype,
                                     int64_t targets, int64_t tokens)
{
    int64_t hidden = config->text.hidden_size;
    int64_t sums = dtype == JUDO_F32 ? 0 : tokens;
    return (judo_head_phase){
        .gathered = judo_arena_take_2d(arena, dtype, targets, hidden),
        .normed = judo_arena_take_2d(arena, dtype, targets, hidden),
        .rstd = judo_arena_take_1d(arena, JUDO_F32, targets),
        .d_gathered = judo_arena_take_2d(arena, dtype, targets, hidden),
        .d_normed = judo_arena_take_2d(arena, dtype, targets, hidden),
        .d_sum = judo_arena_take_2d(arena, JUDO_F32, sums, hidden),
    };
}

judo_status judo_activation_plan(const judo_qwen_config *config,
                                 const judo_activation_options *options,
                                 const judo_activation_counts *counts,
                                 judo_activation_bytes *bytes)
{
    judo_activation_arena arena = {0};
    judo_activation_arena lists = {0};
    judo_activations activations;
    judo_block_shape vision = judo_vision_block_shape(&config->vision);
    judo_block_shape decoder = judo_decoder_block_shape(&config->text);
    JUDO_TRY(judo_activations_create(config, &activations));
    judo_activations_take(&arena, &lists, config, options, counts, &activations);
    int64_t mark = judo_arena_mark(&arena);
    (void)judo_patch_phase_take(&arena, config, options->dtype, counts->patches);
    judo_arena_release(&arena, mark);
    (void)judo_block_phase_take(&arena, &vision, options->dtype,
                                judo_recompute_of(options, options->reach.tower),
                                counts->patches);
    judo_arena_release(&arena, mark);
    (void)judo_merger_phase_take(&arena, config, options->dtype, counts->visual);
    judo_arena_release(&arena, mark);
    (void)judo_block_phase_take(&arena, &decoder, options->dtype,
                                judo_recompute_of(options, options->reach.decoder),
                                counts->tokens);
    judo_arena_release(&arena, mark);
    if (options->backward && options->reach.embeddings) {
        (void)judo_splice_phase_take(&arena, config, options->dtype, counts->visual);
        judo_arena_release(&arena, mark);
    }
    (void)judo_head_phase_take(&arena, config, options->dtype, counts->targets, counts->tokens);
    *bytes = (judo_activation_bytes){
        .tensors = arena.peak,
        .lists = lists.peak,
        .staging = options->separate ? staging_bytes(&activations) : 0,
    };
    judo_activations_destroy(&activations);
    return JUDO_OK;
}
