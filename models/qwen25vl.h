/* models/qwen25vl.h: Qwen2.5-VL, written for one device: vision tower, merger, decoder, head.
 */
#ifndef JUDO_MODELS_QWEN25VL_H
#define JUDO_MODELS_QWEN25VL_H

#include <stdbool.h>
#include <stdint.h>

#include "models/block.h"
#include "models/hf_config.h"
#include "models/layout.h"
#include "runtime/batch.h"
#include "runtime/device.h"
#include "runtime/params.h"

typedef struct judo_model_options {
    judo_recompute recompute;
    bool forward_only;       /* plan no backward pass */
    int64_t head_chunk_rows; /* rows of logits that exist at once; 0: 256, or 1024 on a device
                                with memory of its own */
    judo_freeze freeze;
    judo_dtype dtype;    /* of activations; must be the parameters' compute dtype */
    int64_t max_tokens;  /* the largest batch; activations are planned for it */
    int64_t max_patches; /* may be 0 for text only */
    int64_t max_targets; /* 0: max_tokens */
} judo_model_options;

typedef struct judo_model judo_model;

/* Lays out the parameters, plans the activations and allocates them on `device`, which is
 * borrowed. */
judo_status judo_model_create(const judo_qwen_config *config, const judo_device *device,
                              const judo_model_options *options,
                              judo_model **out) JUDO_MUST_CHECK;
/* The two halves of it: what is laid out and planned, without any of the device's memory, and
 * taking that memory, before which the model runs nothing. */
judo_status judo_model_prepare(const judo_qwen_config *config, const judo_device *device,
                               const judo_model_options *options,
                               judo_model **out) JUDO_MUST_CHECK;
judo_status judo_model_take_memory(judo_model *model) JUDO_MUST_CHECK;
/* Plans the activations of a model without memory anew. */
judo_status judo_model_set_recompute(judo_model *model,
                                     judo_recompute recompute) JUDO_MUST_CHECK;
judo_recompute judo_model_recompute(const judo_model *model);
void judo_model_destroy(judo_model **model);

/* Borrowed for the model's lifetime. */
const judo_param_layout *judo_model_layout(const judo_model *model);
const judo_qwen_config *judo_model_config(const judo_model *model);
/* Where it computes. */
const judo_device *judo_model_device(const judo_model *model);
/* Bytes of activations that are planned on the device, with what its ops take for themselves;
 * the latter alone. */
int64_t judo_model_activation_bytes(const judo_model *model);
int64_t judo_model_work_bytes(const judo_model *model);
/* Bytes that a model with these options would allocate there; allocates none of them. */
judo_status judo_model_plan(const judo_qwen_config *config, const judo_device *device,
                            const judo_model_options *options, int64_t *bytes) JUDO_MUST_CHECK;

/* Ids whose logits count as minus infinity in judo_model_run (vocab_size bytes, borrowed; NULL:
 * none). */
void judo_model_set_banned(judo_model *model, const uint8_t *banned);

/* Is the batch one that judo_model_run would run: well-formed and within the plan? Ask before a
 * collective pass, so that all ranks can agree. Not collective. */
judo_status judo_model_check_batch(const judo_model *model,
                                   const judo_batch *batch) JUDO_MUST_CHECK;

/* One pass over a batch: log-probabilities and losses of its targets and, with `backward`, the
 * gradients of all units that are not frozen, handed to `params`. `loss->weights` defaults to
 * the batch's target_weights. `result` gets what it asks for (sums are added; may be NULL).
 * With `loss->log_ratios` the policy's ratio is the sequence's (target_sequences): the room is
 * filled, `result->logprobs` must be wanted, and one sequence's weights must be equal.
 * The schedule of acquires and gradients is the same for every batch, also for an empty one.
 * Collective over whoever shares `params`. */
judo_status judo_model_run(judo_model *model, judo_params *params, const judo_batch *batch,
                           const judo_token_loss *loss, bool backward,
                           judo_token_result *result) JUDO_MUST_CHECK;

/* Receives the keys and values of one decoder layer, [num_tokens, num_kv_heads, head_dim],
 * rotated, on the device; the views are valid during the call only. */
typedef struct judo_kv_sink {
    void *context;
    judo_status (*put)(void *context, int layer, const judo_tensor *keys,
                       const judo_tensor *values);
} judo_kv_sink;

/* Forward pass for generation: each layer's keys and values go to `sink` (may be NULL), and the
 * final normed hidden states of token rows `rows` to hidden[num_rows, hidden_size] (the model's
 * dtype, the caller's memory on the device). The batch's targets are ignored. Collective like
 * run. */
judo_status judo_model_prefill(judo_model *model, judo_params *params, const judo_batch *batch,
                               const judo_kv_sink *sink, const int32_t *rows, int32_t num_rows,
                               judo_tensor *hidden) JUDO_MUST_CHECK;

/* The unit that holds the head's matrix [vocab_size, hidden_size], and a view of it. */
int judo_model_head_unit(const judo_model *model);
judo_tensor judo_model_head_matrix(const judo_model *model, const judo_unit_view *view);

#endif
