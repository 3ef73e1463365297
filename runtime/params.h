/* runtime/params.h: the contract between a model and whoever stores its parameters.
 *
 * A model is a fixed list of units (embedding, one per block, merger, head); a unit is a run of
 * parameters that is needed together. The model acquires a unit's weights, uses and releases
 * them, and hands in the unit's gradient. On one rank the contract is an array; under ZeRO-3
 * acquire is an all-gather and gradient_end a reduce-scatter. Model code never sees a rank.
 *
 * Every rank must make the same calls in the same order, whatever its data: an empty batch runs
 * the same schedule. */
#ifndef JUDO_RUNTIME_PARAMS_H
#define JUDO_RUNTIME_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/device_feed.h"

enum { JUDO_NAME_BYTES = 128 };

typedef struct judo_param {
    char name[JUDO_NAME_BYTES]; /* Hugging Face hub name */
    int num_dims;
    int64_t dims[JUDO_MAX_DIMS];
    int64_t count;  /* elements */
    int64_t offset; /* first element within the unit's flat buffer */
    bool decay;     /* subject to weight decay (matrices, not norms or biases) */
    bool frozen;    /* receives no gradient and no update */
} judo_param;

typedef struct judo_unit {
    char name[JUDO_NAME_BYTES];
    int first_param;
    int num_params;
    int64_t count; /* elements of the flat buffer: its parameters, densely packed in order */
    bool frozen;   /* all of its parameters are frozen */
    int gradient_parts; /* how often one pass hands in its gradient; 0: once */
} judo_unit;

/* Owned by the model; borrowed by everyone else for the model's lifetime. */
typedef struct judo_param_layout {
    int num_units;
    judo_unit *units;
    int num_params;
    judo_param *params;
} judo_param_layout;

/* Reads elements [first, first+count) of a parameter as fp32, from a checkpoint directory or an
 * initialiser. Not collective; may be called from every rank for different ranges. */
typedef struct judo_weight_source {
    void *context;
    judo_status (*read)(void *context, const judo_param *param, int64_t first, int64_t count,
                        float *out);
} judo_weight_source;

/* The same into elements of `dtype` (fp32 or rounded to nearest even). */
judo_status judo_weight_source_read(const judo_weight_source *source, const judo_param *param,
                                    int64_t first, int64_t count, judo_dtype dtype,
                                    void *out) JUDO_MUST_CHECK;
/* The same into the memory of the feed's device, there once the feed is closed. */
judo_status judo_weight_source_send(const judo_weight_source *source, const judo_param *param,
                                    int64_t first, int64_t count, judo_dtype dtype,
                                    judo_device_feed *feed, void *out) JUDO_MUST_CHECK;

typedef struct judo_params judo_params;

typedef struct judo_params_ops {
    /* Makes unit `unit`'s weights available as one flat buffer in the layout's order and starts
     * fetching `next_unit` (-1: none) in the background. The buffer is valid until release. The
     * same unit may not be acquired twice at once. Collective. */
    judo_status (*acquire)(judo_params *params, int unit, int next_unit, judo_tensor *weights);
    /* Gives the weights back. Not collective. */
    judo_status (*release)(judo_params *params, int unit);
    /* Lends a zeroed fp32 buffer for the unit's gradient; the model adds to it. Not collective.
     */
    judo_status (*gradient_begin)(judo_params *params, int unit, judo_tensor *gradient);
    /* The gradient is complete for this micro-batch: it is reduced and added to the owner's
     * shard. May happen more than once per micro-batch (tied weights). Collective. */
    judo_status (*gradient_end)(judo_params *params, int unit);
    /* Lets outstanding communication progress; cheap, called between kernels. Not collective.
     */
    void (*poll)(judo_params *params);
} judo_params_ops;

/* Base "class": implementations embed it first. */
struct judo_params {
    const judo_params_ops *ops;
    const judo_param_layout *layout;
    judo_dtype compute_dtype; /* dtype of acquired weights */
};

/* Parameters that live whole in the memory of one device (one rank, tests, resident copies for
 * generation), weights in `dtype` (JUDO_F32 or JUDO_BF16). With `trainable`, fp32 gradients of
 * all units are kept, summed over micro-batches. Ownership: destroy frees everything. */
typedef struct judo_local_params judo_local_params;
judo_status judo_local_params_create(const judo_param_layout *layout, const judo_device *device,
                                     judo_dtype dtype, bool trainable,
                                     judo_local_params **out) JUDO_MUST_CHECK;
/* What create would allocate for weights and gradients. */
int64_t judo_local_params_bytes(const judo_param_layout *layout, judo_dtype dtype,
                                bool trainable);
void judo_local_params_destroy(judo_local_params **params);
judo_params *judo_local_params_base(judo_local_params *params);
/* Fills every unit from `source`. */
judo_status judo_local_params_load(judo_local_params *params,
                                   const judo_weight_source *source) JUDO_MUST_CHECK;
/* The flat fp32 weights / gradient of a unit in the memory of the device, borrowed. NULL where
 * weights are bf16 / unless trainable. */
float *judo_local_params_weights(judo_local_params *params, int unit);
float *judo_local_params_gradient(judo_local_params *params, int unit);
judo_status judo_local_params_zero_gradients(judo_local_params *params) JUDO_MUST_CHECK;

/* A view of one parameter inside its unit's flat buffer (weights or gradient). */
judo_tensor judo_param_view(const judo_param *param, const judo_tensor *unit_buffer);

#endif
