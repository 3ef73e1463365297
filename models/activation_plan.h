/* models/activation_plan.h: every buffer of a step, taken from an arena in one place, so that
 * the bytes that are planned and the bytes that are used are the same lines.
 *
 * Buffers of the whole pass are taken first; then come phases (a block, the merger, the head)
 * whose buffers are given back when the phase ends. */
#ifndef JUDO_MODELS_ACTIVATION_PLAN_H
#define JUDO_MODELS_ACTIVATION_PLAN_H

#include "models/block.h"
#include "models/merger.h"
#include "models/positions.h"
#include "models/schedule.h"

typedef struct judo_activation_counts {
    int64_t tokens, patches, visual, targets;
} judo_activation_counts;

typedef struct judo_activation_options {
    judo_dtype dtype;
    judo_recompute recompute;
    bool backward;
    bool separate; /* the host cannot write where activations are: inputs are copied */
    judo_reach reach;
} judo_activation_options;

typedef struct judo_activations {
    judo_tensor text_cos, text_sin, vision_cos, vision_sin;
    judo_tensor pixels; /* [bytes], a copy of the batch's; none unless `separate` */
    judo_vision_order order;
    judo_patch_square *squares;  /* [visual]: pixels of each visual row in window order */
    int32_t *splice;             /* [visual]: token row of each visual row in window order */
    judo_tensor visual;          /* merged rows, later their gradient */
    judo_tensor *vision_inputs;  /* [depth + 1]: input of each block, output of the last */
    judo_tensor *decoder_inputs; /* [layers + 1] */
    judo_tensor d_vision, d_text;
    /* What is kept of blocks and merger; without rows where they are recomputed whole. */
    judo_block_saved *vision_saved, *decoder_saved;
    judo_merger_saved merger_saved;
} judo_activations;

/* Allocates the lists (not the buffers); free with judo_activations_destroy. */
judo_status judo_activations_create(const judo_qwen_config *config,
                                    judo_activations *out) JUDO_MUST_CHECK;
void judo_activations_destroy(judo_activations *activations);

/* Takes the buffers of a whole pass, the lists (`order`, `squares`, `splice`) from `lists`,
 * which is host memory. */
void judo_activations_take(judo_activation_arena *arena, judo_activation_arena *lists,
                           const judo_qwen_config *config,
                           const judo_activation_options *options,
                           const judo_activation_counts *counts, judo_activations *out);

typedef struct judo_merger_phase {
    judo_merger_saved saved;
    judo_tensor scratch;
} judo_merger_phase;

typedef struct judo_block_phase {
    judo_recompute recompute;
    judo_block_saved saved; /* what is not kept */
    judo_block_scratch scratch;
} judo_block_phase;

typedef struct judo_head_phase {
    judo_tensor gathered, normed, rstd, d_gathered, d_normed;
    judo_tensor d_sum; /* fp32 [tokens, hidden] where d_text is not fp32 itself */
} judo_head_phase;

/* The patches that the projection reads, in window order. */
judo_tensor judo_patch_phase_take(judo_activation_arena *arena, const judo_qwen_config *config,
                                  judo_dtype dtype, int64_t patches);
/* Zeros that take the place of the visual rows among the embeddings' gradients. */
judo_tensor judo_splice_phase_take(judo_activation_arena *arena, const judo_qwen_config *config,
                                   judo_dtype dtype, int64_t visual);
judo_merger_phase judo_merger_phase_take(judo_activation_arena *arena,
                                         const judo_qwen_config *config, judo_dtype dtype,
                                         int64_t visual);
/* What a backward pass will recompute of blocks that it reaches or not. */
judo_recompute judo_recompute_of(const judo_activation_options *options, bool reached);
judo_block_phase judo_block_phase_take(judo_activation_arena *arena,
                                       const judo_block_shape *shape, judo_dtype dtype,
                                       judo_recompute recompute, int64_t rows);
/* Where a block's forward pass leaves things, and its backward pass finds or restores them;
 * `kept` is the block's own place. */
judo_block_saved *judo_block_phase_saved(judo_block_phase *phase, judo_block_saved *kept);
judo_head_phase judo_head_phase_take(judo_activation_arena *arena,
                                     const judo_qwen_config *config, judo_dtype dtype,
                                     int64_t targets, int64_t tokens);

/* Memory of a pass. */
typedef struct judo_activation_bytes {
    int64_t tensors; /* of the device */
    int64_t lists;   /* of the host */
    int64_t staging; /* of the host, for inputs on their way; 0 unless `separate` */
} judo_activation_bytes;

/* What a pass with these counts needs at its peak. */
judo_status judo_activation_plan(const judo_qwen_config *config,
                                 const judo_activation_options *options,
                                 const judo_activation_counts *counts,
                                 judo_activation_bytes *bytes) JUDO_MUST_CHECK;

#endif
