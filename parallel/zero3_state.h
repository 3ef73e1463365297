/* parallel/zero3_state.h: the inside of judo_zero3, shared by the zero3*.c files. */
#ifndef JUDO_PARALLEL_ZERO3_STATE_H
#define JUDO_PARALLEL_ZERO3_STATE_H

#include "parallel/comm_device.h"
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
    int64_t offset; /* first element in the weight buffer */
} judo_gathered_unit;

typedef enum judo_gradient_state {
    JUDO_GRADIENT_ZERO,
    JUDO_GRADIENT_LOCAL,   /* holds something that other ranks or groups have yet to add to */
    JUDO_GRADIENT_REDUCED, /* complete in the owned part; the rest is left over */
} judo_gradient_state;

/* Where units lie in the weight buffer. Whole units have a lasting place, of which the rank's
 * own slice is a part; of the others there are the slices, and room for some gathered ones. */
typedef struct judo_zero3_places {
    int64_t *own;   /* [num_units] first element of the rank's slice */
    int64_t *whole; /* [num_units] first element of the lasting place; -1: none */
    int64_t room_first, room_count; /* of gathered units that come and go */
    int64_t count;                  /* elements in all */
} judo_zero3_places;

/* Units expected behind (unit, next): what followed the last time. */
typedef struct judo_zero3_order {
    int *follower; /* [num_units][num_units], -1: unknown; NULL: nothing is learnt */
    int unit, next;
} judo_zero3_order;

/* Unit gradients on their way into the shard. */
typedef struct judo_zero3_gradient_room {
    float *buffer; /* [count]; NULL where gradients are whole */
    int64_t count;
    int lent_unit; /* -1: none */
    int64_t lent_first;
    int64_t summed_first, summed_count; /* under way; count 0: none */
} judo_zero3_gradient_room;

/* Sums of passes that wait for their other halves, and the one that the ranks are summing. */
typedef struct judo_zero3_tree {
    int num_levels;     /* 0: gradients are summed in the order of passes */
    int64_t count;      /* elements of a level */
    float *arrived;     /* [largest slice] of `arriving`; begins the allocation */
    float *levels;      /* [num_levels][count]: of 2^level passes */
    int64_t *position;  /* [num_units] first element in a level; parts behind each other */
    int64_t *num_added; /* [num_units] gradients since the last collection */
    int arriving;       /* unit; -1: none */
} judo_zero3_tree;

/* Elements that lie side by side in all arrays of an update, and what is trained of them. */
typedef struct judo_zero3_run {
    int unit;                           /* at whose slice's beginning it begins */
    int64_t count;                      /* elements, of this unit's slice and those behind it */
    const judo_adamw_segment *segments; /* in elements of the run */
    int num_segments;
} judo_zero3_run;

typedef struct judo_zero3_span {
    int64_t first, count; /* elements */
} judo_zero3_span;

typedef struct judo_zero3_runs {
    judo_zero3_run *runs; /* of what is stored */
    int num_runs;
    judo_adamw_segment *segments;
    judo_zero3_span *owned; /* of `gradients`: what of them is owned */
    int num_owned;
} judo_zero3_runs;

/* An update in host memory: blocks of gradients come and blocks of weights go, in turns through
 * two buffers with a queue each. */
typedef struct judo_zero3_offload {
    float *gradient[2];   /* [JUDO_OFFLOAD_BLOCK], staging memory; NULL: nothing is offloaded */
    uint16_t *rounded[2]; /* the same for weights in bf16 */
    judo_stream *queue[2];
} judo_zero3_offload;

enum { JUDO_OFFLOAD_BLOCK = 1 << 20 }; /* elements */

struct judo_zero3 {
    judo_params base;
    judo_comm *comm;             /* all ranks */
    judo_comm *group_comm;       /* the ranks that shard among them; may be `comm` */
    judo_comm *replica_comm;     /* the ranks that store the same slices; NULL: only this one */
    judo_comm *group_exchange;   /* the same two for memory of the device; NULL: nobody to */
    judo_comm *replica_exchange; /* exchange it with */
    const judo_device *device;
    judo_zero3_options options; /* `offload` only where there is something to offload */
    judo_shard_map map;
    judo_zero3_places places;
    judo_zero3_bytes allocated;
    void *compute;        /* [places.count] in base.compute_dtype: what is gathered and lent */
    float *master;        /* [map.total]: what is updated and saved; NULL if `compute` is it, or
                             in a frozen set in bf16; in host memory if offloaded, like the
                             moments */
    uint16_t *low;        /* [map.total] of split weights the halves behind `compute`'s; or
                             NULL */
    bool stale;           /* copies are to be made anew from what is owned */
    float *gradients;     /* [map.trainable_total], times map.size if whole; NULL with
                             options.frozen, like the moments */
    float *first_moment;  /* [map.trainable_total] */
    float *second_moment; /* [map.trainable_total] */
    judo_gathered_unit *gathered;         /* [num_units] */
    judo_gradient_state *gradient_states; /* [num_units] */
    judo_zero3_gradient_room gradient_room;
    judo_zero3_tree tree;
    judo_zero3_runs runs;
    judo_zero3_offload offload;
    judo_zero3_order order;
    judo_local_params *resident;
};

/* zero3_plan.c */
judo_status judo_zero3_options_check(const judo_zero3_options *options) JUDO_MUST_CHECK;
/* Whether fp32 weights are there beside what is lent, or their lower halves. Never both. */
bool judo_zero3_has_master(const judo_zero3_options *options);
bool judo_zero3_has_halves(const judo_zero3_options *options);
/* Of groups of `size` ranks. */
bool judo_zero3_gradients_are_whole(const judo_zero3_options *options, int size);
judo_status judo_zero3_places_create(const judo_shard_map *map,
                                     const judo_zero3_options *options,
                                     judo_zero3_places *out) JUDO_MUST_CHECK;
void judo_zero3_places_destroy(judo_zero3_places *places);
judo_zero3_bytes judo_zero3_bytes_of(const judo_shard_map *map, const judo_zero3_places *places,
                                     const judo_zero3_options *options);

/* zero3_groups.c. Collective. */
judo_status judo_zero3_groups_open(judo_zero3 *zero3) JUDO_MUST_CHECK;
/* Once there is memory: tells the groups of it. */
judo_status judo_zero3_groups_lend(const judo_zero3 *zero3) JUDO_MUST_CHECK;
void judo_zero3_groups_close(judo_zero3 *zero3);

/* zero3_memory.c: addresses. `at` counts from the beginning of the rank's slice of the unit. */
void *judo_zero3_compute_at(const judo_zero3 *zero3, int unit, int64_t at);
/* NULL in a frozen set in bf16, and where weights are split. */
float *judo_zero3_master_at(const judo_zero3 *zero3, int unit, int64_t at);
/* Only of split weights. */
uint16_t *judo_zero3_low_at(const judo_zero3 *zero3, int unit, int64_t at);
float *judo_zero3_gradient_at(const judo_zero3 *zero3, int unit, int64_t at);
void *judo_zero3_gathered_at(const judo_zero3 *zero3, int unit);
judo_status judo_zero3_memory_create(judo_zero3 *zero3) JUDO_MUST_CHECK;
void judo_zero3_memory_destroy(judo_zero3 *zero3);

/* zero3_offload.c */
/* Of the buffers of an update. */
int64_t judo_zero3_offload_bytes(const judo_zero3_options *options);
judo_status judo_zero3_offload_create(judo_zero3 *zero3) JUDO_MUST_CHECK;
void judo_zero3_offload_destroy(judo_zero3 *zero3);
/* AdamW on all that this rank stores. */
judo_status judo_zero3_offload_update(judo_zero3 *zero3,
                                      const judo_adamw *options) JUDO_MUST_CHECK;
/* The compute weights of a unit from the master. */
judo_status judo_zero3_offload_refresh(judo_zero3 *zero3, int unit) JUDO_MUST_CHECK;

/* zero3_runs.c; nothing for a frozen set. */
judo_status judo_zero3_runs_create(judo_zero3 *zero3) JUDO_MUST_CHECK;
void judo_zero3_runs_destroy(judo_zero3_runs *runs);

/* zero3_files.c: if stale, makes the other groups' parts and the compute weights follow what is
 * owned. Collective. */
judo_status judo_zero3_refresh(judo_zero3 *zero3) JUDO_MUST_CHECK;

/* zero3_gradient.c */
judo_status judo_zero3_gradient_begin(judo_params *params, int unit,
                                      judo_tensor *gradient) JUDO_MUST_CHECK;
judo_status judo_zero3_gradient_end(judo_params *params, int unit) JUDO_MUST_CHECK;
/* Completes all sums: the owned parts are final. Collective. */
judo_status judo_zero3_gradients_reduce(judo_zero3 *zero3) JUDO_MUST_CHECK;
/* Behind it: the stored slices are final too. Collective. */
judo_status judo_zero3_gradients_share(judo_zero3 *zero3) JUDO_MUST_CHECK;

/* zero3_tree.c */
judo_status judo_zero3_tree_check(const judo_zero3_options *options, int num_ranks,
                                  int group_size) JUDO_MUST_CHECK;
int64_t judo_zero3_tree_bytes(const judo_shard_map *map, const judo_zero3_options *options);
judo_status judo_zero3_tree_create(judo_zero3 *zero3) JUDO_MUST_CHECK;
void judo_zero3_tree_destroy(judo_zero3_tree *tree);
void judo_zero3_tree_forget(judo_zero3 *zero3);
/* Begins the ranks' sum of a unit's gradient of one pass. Collective. */
judo_status judo_zero3_tree_sum(judo_zero3 *zero3, int unit, float *values) JUDO_MUST_CHECK;
/* The sum that was begun is complete, if there was one: adds it to the tree. */
judo_status judo_zero3_tree_take(judo_zero3 *zero3) JUDO_MUST_CHECK;
/* Adds the tree's sums to the gradients; it is empty then. */
void judo_zero3_tree_collect(judo_zero3 *zero3);
/* The norm of what is owned by all, the same bits for any number of ranks. Collective. */
judo_status judo_zero3_tree_norm(judo_zero3 *zero3, double *norm) JUDO_MUST_CHECK;

/* zero3_arena.c */
/* Makes the unit's gathered weights HELD. Collective. */
judo_status judo_zero3_arena_acquire(judo_zero3 *zero3, int unit) JUDO_MUST_CHECK;
/* Starts a gather if the unit is absent and room is to be had without dropping anything that
 * was fetched ahead; otherwise does nothing. Collective. */
judo_status judo_zero3_arena_prefetch(judo_zero3 *zero3, int unit) JUDO_MUST_CHECK;
/* Forgets all that is not held; waits for what is in flight. */
judo_status judo_zero3_arena_forget(judo_zero3 *zero3) JUDO_MUST_CHECK;

extern const judo_params_ops judo_zero3_params_ops;

#endif
