/* parallel/zero3.h: parameters, gradients and optimizer state of which each rank stores a part.
 *
 * Implements the params contract (runtime/params.h): acquire gathers a unit's slices into a
 * buffer and starts the next unit's gather; release gives the buffer up; gradient_end starts
 * the sum of the unit's gradient over the ranks into each owner's shard, which goes on in
 * poll and while the next unit's gradient is computed. Buffers hold the largest units; what was
 * released stays cached there until its room is needed. Memory that a rank has whole (all of
 * it, on one rank) is lent itself.
 *
 * What is sharded is data (judo_zero3_options); judo_zero3_stage names the usual choices. Ranks
 * form groups; each group shards among its members what is sharded, and holds the same as the
 * other groups. Gradients are summed inside the group first, once per micro-batch, and then,
 * once per optimizer step, over the groups.
 *
 * With compute_dtype JUDO_BF16 the fp32 weights are master copies that only the optimizer and
 * files see; beside them lie their values rounded to nearest even, which is what is gathered,
 * lent and copied. They are rounded anew at the first use after a load, after
 * judo_zero3_weights_changed, and in every optimizer step. With `split_master` there are no
 * such copies: a weight is the bf16 number that is lent and the 16 bits behind it, exactly the
 * same fp32 weight in two bytes less (runtime/ops/split_weight.h). What is lent then differs
 * in one case: a weight halfway between two bf16 numbers goes away from zero, not to even,
 * where two fp32 weights would share their halves. One fp32 number of 2^17 is lent one bf16
 * step larger for that.
 *
 * A unit's gradient of one pass is computed and summed over ranks in fp32. With
 * `gradient_storage` JUDO_BF16 what is kept of it between the passes of a step takes two bytes
 * instead of four: each pass's sum is added to it in fp32 and rounded to nearest even. Norm and
 * update read that. A unit's fp32 gradient has a buffer then on one rank too.
 *
 * All of it lies in the memory of one device, and is worked on there by its ops and copies on
 * its compute queue; ranks exchange it by judo_comm_on_device. With `offload` the fp32 weights
 * and moments stay in host memory, where the CPU updates them, and what is lent is copied to
 * the device anew in every optimizer step: the same bits as where the CPU is the device.
 *
 * Everything is allocated at creation. All functions marked collective are called by all ranks
 * in the same order. */
#ifndef JUDO_PARALLEL_ZERO3_H
#define JUDO_PARALLEL_ZERO3_H

#include "parallel/comm.h"
#include "parallel/shard.h"
#include "runtime/device.h"
#include "runtime/params.h"

enum {
    JUDO_GROUP_OF_NODE = -1, /* the ranks of one machine */
    JUDO_MAX_PREFETCH = 4,
};

/* All zero: stage 3 over all ranks in fp32. Optimizer state is always sharded in the group. */
typedef struct judo_zero3_options {
    bool frozen;        /* weights only: no gradients, no moments (a reference model), and with
                           bf16 no fp32 master */
    bool whole_weights; /* every rank has room for all units: each is gathered once per step */
    bool whole_gradients; /* every rank keeps all gradients: they are summed once per step */
    bool no_prefetch;     /* acquire ignores its next_unit */
    bool no_overlap;      /* gradient_end waits; one gradient buffer instead of two */
    bool offload;         /* optimizer state in host memory; changes nothing where the device's
                             memory is the host's: leave it out of a plan for that */
    bool split_master;    /* the fp32 weights as bf16 halves and the bits behind them; with
                             bf16, not with offload; nothing to a frozen set */
    int prefetch;         /* units fetched ahead, up to JUDO_MAX_PREFETCH; 0: one. Those behind
                             next_unit are the ones that followed the last time. */
    int group_size;       /* ranks of a group, in rank order; 0: all. JUDO_GROUP_OF_NODE */
    int64_t whole_below;  /* units of fewer elements are as with whole_weights */
    int64_t deterministic_passes; /* of a rank in a step, at most: their gradients are summed
                              as a binary tree that 1, 2, 4, .. ranks do not change, if pass p
                              of the step is rank p % size's; 0: in the order of passes */
    judo_dtype compute_dtype;    /* of the weights that the model sees: JUDO_F32 or JUDO_BF16 */
    judo_dtype gradient_dtype;   /* in which gradients travel; they are summed in fp32 */
    judo_dtype gradient_storage; /* in which the sums are kept over the passes of a step; BF16
                              not with deterministic_passes */
} judo_zero3_options;

/* The sharding of Rajbhandari et al. 2020: 0: nothing (groups of one rank), 1: optimizer state,
 * 2: and gradients, 3: and weights. Whole gradients (0, 1) need no communication between
 * micro-batches. Everything else is left at zero. */
judo_zero3_options judo_zero3_stage(int stage);

/* The size of this job's groups. JUDO_ERROR_ARGUMENT if the ranks do not fill groups of that
 * size. Collective. */
judo_status judo_zero3_group_size(judo_comm *comm, const judo_zero3_options *options,
                                  int *size) JUDO_MUST_CHECK;

/* Bytes of one rank by purpose. */
typedef struct judo_zero3_bytes {
    int64_t weights;         /* fp32: the rank's slices; split: their lower halves */
    int64_t compute;         /* bf16, or offloaded: the same, as it is lent */
    int64_t gradients;       /* shard, or all of it, as gradient_storage */
    int64_t moments;         /* two fp32 shards */
    int64_t gathered;        /* gathered units, less the slices counted above */
    int64_t gradient_buffer; /* whole fp32 gradients of one unit or two */
    int64_t tree;            /* sums of 1, 2, 4, .. passes, if deterministic */
    int64_t total;           /* of these, what lies in the device's memory */
    int64_t offloaded;       /* in host memory: the rest, and buffers of the update */
    int64_t resident;        /* a copy of all weights, while there is one; not in the total */
} judo_zero3_bytes;

/* What one rank of `num_ranks` would allocate, beside the scratch of communicators
 * (judo_zero3_exchange_bytes). The group size must be a number. Not collective, allocates
 * nothing lasting. */
judo_status judo_zero3_plan(const judo_param_layout *layout, int num_ranks,
                            const judo_zero3_options *options,
                            judo_zero3_bytes *out) JUDO_MUST_CHECK;

typedef struct judo_zero3 judo_zero3;

/* Weights, gradients and moments start at zero. `comm`, `layout` and `device` are borrowed for
 * the object's life. Ranks agree on the outcome. Collective. */
judo_status judo_zero3_create(judo_comm *comm, const judo_param_layout *layout,
                              const judo_device *device, const judo_zero3_options *options,
                              judo_zero3 **out) JUDO_MUST_CHECK;
/* Accepts NULL. Waits for gathers in flight. Not collective. */
void judo_zero3_destroy(judo_zero3 **zero3);

/* The contract for the model; borrowed. */
judo_params *judo_zero3_params(judo_zero3 *zero3);
/* What this object has allocated, for comparison with the plan. */
judo_zero3_bytes judo_zero3_allocated(const judo_zero3 *zero3);
/* Host memory that its own communicators hold: those of groups, and those that exchange a
 * device's memory. */
int64_t judo_zero3_exchange_bytes(const judo_zero3 *zero3);

/* Each rank reads its own ranges from `source`; ranks agree on the outcome. Collective. */
judo_status judo_zero3_load(judo_zero3 *zero3,
                            const judo_weight_source *source) JUDO_MUST_CHECK;

/* Before the first backward of an optimizer step, whose update uses the gradients up. Waits for
 * a sum that is still under way. Not collective. */
judo_status judo_zero3_zero_gradients(judo_zero3 *zero3) JUDO_MUST_CHECK;

typedef struct judo_zero3_update {
    double gradient_norm; /* of the scaled gradient, before clipping */
    double clip_scale;    /* 1 unless clipped */
    bool applied;         /* false: the norm is not finite, nothing was changed */
} judo_zero3_update;

/* The 2-norm over all parameters that are not frozen, in fp64, the same bits on all ranks. A
 * gradient with a NaN or an infinity anywhere has a norm that is not finite. Completes the sums
 * over ranks; more micro-batches may follow. Collective. */
judo_status judo_zero3_gradient_norm(judo_zero3 *zero3, double *norm) JUDO_MUST_CHECK;

/* Behind a norm that is not finite: the first parameter, in the layout's order, whose gradient
 * has an element that is not; -1 if none has. Collective. */
judo_status judo_zero3_damaged_gradient(judo_zero3 *zero3, int *param) JUDO_MUST_CHECK;

/* One optimizer step: norm, clipping to `max_norm` (0: none), AdamW on the stored shards.
 * options->gradient_scale multiplies the gradient before norm and clipping; parameters without
 * `decay` get no weight decay, frozen ones no update. Collective. */
judo_status judo_zero3_step(judo_zero3 *zero3, const judo_adamw *options, double max_norm,
                            judo_zero3_update *out) JUDO_MUST_CHECK;

/* All weights whole in the device's memory, for generation without collectives inside.
 * Borrowed until judo_zero3_release_resident; a snapshot of the weights of this moment. Where
 * every unit is whole (one rank, whole_weights) it is the stored memory itself. Collective. */
judo_status judo_zero3_gather_resident(judo_zero3 *zero3,
                                       judo_params **resident) JUDO_MUST_CHECK;
void judo_zero3_release_resident(judo_zero3 *zero3);

/* What this rank owns of a parameter; borrowed. Addresses are the host's to follow only where
 * judo_zero3_owned_is_on_host; elsewhere the device's copies take what is there. */
typedef struct judo_zero3_owned {
    int64_t first, count; /* elements of the parameter; count 0: nothing */
    float *weights; /* NULL in a frozen set in bf16 and if split: judo_zero3_get_weights */
    float *first_moment, *second_moment; /* NULL if frozen */
} judo_zero3_owned;

judo_zero3_owned judo_zero3_owned_part(judo_zero3 *zero3, int param);
bool judo_zero3_owned_is_on_host(const judo_zero3 *zero3);
/* Whether fp32 weights are kept, but as halves. */
bool judo_zero3_is_split(const judo_zero3 *zero3);
/* Elements [at, at+count) of the owned part from and to host memory, as fp32 whatever they are
 * kept in. Around writing stand judo_zero3_weights_changed and, behind it, the device's
 * stream_finish. Not collective. */
judo_status judo_zero3_get_weights(const judo_zero3 *zero3, int param, int64_t at,
                                   int64_t count, float *out) JUDO_MUST_CHECK;
judo_status judo_zero3_put_weights(judo_zero3 *zero3, int param, int64_t at, int64_t count,
                                   const float *values) JUDO_MUST_CHECK;

/* Calls `visit` for elements [first, first+count) of a parameter, in the layout's order and
 * once or, where bf16 is widened or a device's memory read, several times per parameter: every
 * element is visited on exactly one rank, once. `weights` are in host memory. Stops at the
 * first failure. Not collective. */
typedef judo_status (*judo_zero3_visit)(void *context, int param, int64_t first, int64_t count,
                                        const float *weights);
judo_status judo_zero3_for_each_owned(judo_zero3 *zero3, judo_zero3_visit visit,
                                      void *context) JUDO_MUST_CHECK;

/* For checkpoints. Borrowed. */
const judo_param_layout *judo_zero3_layout(const judo_zero3 *zero3);
const judo_device *judo_zero3_device(const judo_zero3 *zero3);
/* Owned weights and moments are about to be changed or were changed from outside: copies of
 * them are stale and made anew at the next acquire or step. Waits for gathers in flight. */
judo_status judo_zero3_weights_changed(judo_zero3 *zero3) JUDO_MUST_CHECK;

#endif
