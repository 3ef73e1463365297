/* parallel/zero3_state.h: the inside of judo_zero3, shared by the zero3*.c files. */
#ifndef JUDO_PARALLEL_ZERO3_STATE_H
#define JUDO_PARALLEL_ZERO3_STATE_H

#include "parallel/zero3.h"

typedef enum judo_gather_state {
    JUDO_GATHER_ABSENT,
    JUDO_GATHER_IN_FLIGHT, /* `request` is outstanding */
    JUDO_GATHER_AHEAD,     /* complete, not yet acquired */
    JUDO_GATHER_HELD,      /* acquired */
    JUDO_GATHER_CACHED,    /* released, content still good */
} judo_gather_state;

typedef struct judo_gathered_unit {
    judo_gather_state state;
    int request;
    int64_t offset; /* first element in the arena */
} judo_gathered_unit;

struct judo_zero3 {
    judo_params base;
    judo_comm *comm;
    const judo_ops *ops;
    judo_zero3_options options;
    judo_shard_map map;
    judo_zero3_bytes allocated;
    void *compute;       /* [map.total] in base.compute_dtype: what is gathered and lent */
    float *master;       /* [map.total]: what is updated and saved. `compute` itself if that is
                            fp32; NULL in a frozen set in bf16 */
    bool stale;          /* `compute` is to be rounded from `master` before it is used */
    float *gradients;    /* [map.trainable_total]; NULL with options.frozen, like the moments */
    float *first_moment; /* [map.trainable_total] */
    float *second_moment; /* [map.trainable_total] */
    char *arena; /* [arena_count] gathered units in base.compute_dtype; NULL on one rank */
    int64_t arena_count;
    judo_gathered_unit *gathered; /* [num_units] */
    float *gradient_buffer;       /* the largest trainable unit; NULL on one rank */
    int gradient_unit;            /* that borrows the buffer; -1: none */
    judo_local_params *resident;
};

/* A weight shard's address of element `position`. */
void *judo_zero3_compute_at(const judo_zero3 *zero3, int64_t position);
/* A gathered unit's weights. */
void *judo_zero3_gathered_at(const judo_zero3 *zero3, int unit);
/* Makes `compute` follow `master`. */
void judo_zero3_refresh(judo_zero3 *zero3);

/* Gathers that are under way or kept. */

/* Elements that the arena has for a layout: the two largest units and the smallest (a tied head
 * holds its norm beside the embedding while the next unit travels), or all. */
int64_t judo_zero3_arena_count(const judo_shard_map *map, const judo_zero3_options *options);
/* Makes the unit's gathered weights HELD. Collective. */
judo_status judo_zero3_arena_acquire(judo_zero3 *zero3, int unit) JUDO_MUST_CHECK;
/* Starts a gather if the unit is absent and room is to be had without dropping anything that
 * was fetched ahead; otherwise does nothing. Collective. */
judo_status judo_zero3_arena_prefetch(judo_zero3 *zero3, int unit) JUDO_MUST_CHECK;
/* Forgets all that is not held; waits for what is in flight. */
judo_status judo_zero3_arena_forget(judo_zero3 *zero3) JUDO_MUST_CHECK;

extern const judo_params_ops judo_zero3_params_ops;

#endif
