/* parallel/zero3.h: parameters, gradients and optimizer state of which each rank stores 1/N.
 *
 * Implements the params contract (runtime/params.h): acquire gathers a unit's slices into a
 * buffer and starts the next unit's gather; release gives the buffer up; gradient_end reduces
 * the unit's gradient over the ranks into each owner's fp32 shard. Buffers hold the two largest
 * units; what was released stays cached there until its room is needed. On one rank, acquire
 * and gradient_begin lend the stored memory itself.
 *
 * With compute_dtype JUDO_BF16 the fp32 weights are master copies that only the optimizer and
 * files see; beside them lie their values rounded to nearest even, which is what is gathered,
 * lent and copied. They are rounded anew at the first use after a load, after
 * judo_zero3_weights_changed, and in every optimizer step.
 *
 * Everything is allocated at creation. All functions marked collective are called by all ranks
 * in the same order. */
#ifndef JUDO_PARALLEL_ZERO3_H
#define JUDO_PARALLEL_ZERO3_H

#include "parallel/comm.h"
#include "parallel/shard.h"
#include "runtime/ops/ops.h"
#include "runtime/params.h"

typedef struct judo_zero3_options {
    bool no_prefetch;   /* acquire ignores its next_unit */
    bool keep_gathered; /* room for all units: each is gathered once per optimizer step */
    bool frozen;        /* weights only: no gradients, no moments (a reference model), and with
                           bf16 no fp32 master */
    judo_dtype compute_dtype;  /* of the weights that the model sees: JUDO_F32 or JUDO_BF16 */
    judo_dtype gradient_dtype; /* in which gradients travel; they are summed and kept in fp32 */
} judo_zero3_options;

/* Bytes of one rank by purpose. */
typedef struct judo_zero3_bytes {
    int64_t weights;         /* fp32 shard */
    int64_t compute;         /* bf16 shard */
    int64_t gradients;       /* fp32 shard */
    int64_t moments;         /* two fp32 shards */
    int64_t gathered;        /* buffers of gathered units */
    int64_t gradient_buffer; /* one unit's whole gradient */
    int64_t total;
} judo_zero3_bytes;

/* What one rank of `num_ranks` would allocate. Not collective, allocates nothing lasting. */
judo_status judo_zero3_plan(const judo_param_layout *layout, int num_ranks,
                            const judo_zero3_options *options,
                            judo_zero3_bytes *out) JUDO_MUST_CHECK;

typedef struct judo_zero3 judo_zero3;

/* Weights, gradients and moments start at zero. `comm`, `layout` and `ops` are borrowed for the
 * object's life. Ranks agree on the outcome. Collective. */
judo_status judo_zero3_create(judo_comm *comm, const judo_param_layout *layout,
                              const judo_ops *ops, const judo_zero3_options *options,
                              judo_zero3 **out) JUDO_MUST_CHECK;
/* Accepts NULL. Waits for gathers in flight. Not collective. */
void judo_zero3_destroy(judo_zero3 **zero3);

/* The contract for the model; borrowed. */
judo_params *judo_zero3_params(judo_zero3 *zero3);
/* What this object has allocated, for comparison with the plan. */
judo_zero3_bytes judo_zero3_allocated(const judo_zero3 *zero3);

/* Each rank reads its own ranges from `source`; ranks agree on the outcome. Collective. */
judo_status judo_zero3_load(judo_zero3 *zero3,
                            const judo_weight_source *source) JUDO_MUST_CHECK;

/* Before the first backward of an optimizer step. Not collective. */
void judo_zero3_zero_gradients(judo_zero3 *zero3);

typedef struct judo_zero3_update {
    double gradient_norm; /* of the scaled gradient, before clipping */
    double clip_scale;    /* 1 unless clipped */
    bool applied;         /* false: the norm is not finite, nothing was changed */
} judo_zero3_update;

/* The 2-norm over all parameters that are not frozen, in fp64, the same bits on all ranks. A
 * gradient with a NaN or an infinity anywhere has a norm that is not finite. Collective. */
judo_status judo_zero3_gradient_norm(judo_zero3 *zero3, double *norm) JUDO_MUST_CHECK;

/* One optimizer step: norm, clipping to `max_norm` (0: none), AdamW on the owned shards.
 * options->gradient_scale multiplies the gradient before norm and clipping; parameters without
 * `decay` get no weight decay, frozen ones no update. Collective. */
judo_status judo_zero3_step(judo_zero3 *zero3, const judo_adamw *options, double max_norm,
                            judo_zero3_update *out) JUDO_MUST_CHECK;

/* All weights whole in this process's memory, for generation without collectives inside.
 * Borrowed until judo_zero3_release_resident; a snapshot of the weights of this moment. On one
 * rank it is the stored memory itself. Collective. */
judo_status judo_zero3_gather_resident(judo_zero3 *zero3,
                                       judo_params **resident) JUDO_MUST_CHECK;
/* Bytes that a resident copy takes beside judo_zero3_plan's. */
int64_t judo_zero3_resident_bytes(const judo_param_layout *layout, int num_ranks,
                                  const judo_zero3_options *options);
void judo_zero3_release_resident(judo_zero3 *zero3);

/* What this rank owns of a parameter; borrowed. */
typedef struct judo_zero3_owned {
    int64_t first, count; /* elements of the parameter; count 0: nothing */
    float *weights;       /* NULL in a frozen set in bf16: judo_zero3_for_each_owned reads it */
    float *first_moment, *second_moment; /* NULL if frozen */
} judo_zero3_owned;

judo_zero3_owned judo_zero3_owned_part(judo_zero3 *zero3, int param);

/* Calls `visit` for elements [first, first+count) of a parameter, in the layout's order and
 * once or, where bf16 is widened, several times per parameter: every element is visited on
 * exactly one rank, once. Stops at the first failure. Not collective. */
typedef judo_status (*judo_zero3_visit)(void *context, int param, int64_t first, int64_t count,
                                        const float *weights);
judo_status judo_zero3_for_each_owned(judo_zero3 *zero3, judo_zero3_visit visit,
                                      void *context) JUDO_MUST_CHECK;

/* For checkpoints. Borrowed. */
const judo_param_layout *judo_zero3_layout(const judo_zero3 *zero3);
/* Owned weights are about to be changed or were changed from outside: copies of them are stale
 * and made anew at the next acquire. Waits for gathers in flight. */
judo_status judo_zero3_weights_changed(judo_zero3 *zero3) JUDO_MUST_CHECK;

#endif
