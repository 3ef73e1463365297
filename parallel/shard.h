/* parallel/shard.h: which rank stores which elements. Index arithmetic only.
 *
 * A unit's flat buffer of `count` elements is cut into `size` equal slices, the last ones
 * padded; rank r owns elements [r * slice, (r+1) * slice). A rank's slices of all units lie one
 * behind the other in its flat shard; moments and gradients have such a shard without the
 * frozen units. */
#ifndef JUDO_PARALLEL_SHARD_H
#define JUDO_PARALLEL_SHARD_H

#include "runtime/params.h"

enum { JUDO_SHARD_ALIGNMENT = 32 }; /* elements: slices of 2 bytes each begin on cache lines */

typedef struct judo_shard_map {
    const judo_param_layout *layout; /* borrowed */
    int rank, size;
    int64_t *slice;              /* [num_units] elements per rank, padding included */
    int64_t *position;           /* [num_units] first element in the weight shard */
    int64_t *trainable_position; /* [num_units] in the gradient and moment shards; -1: frozen */
    int *unit_of_param;          /* [num_params] */
    int64_t total;               /* elements of the weight shard */
    int64_t trainable_total;     /* elements of the gradient and moment shards */
} judo_shard_map;

/* The part of a parameter that a rank owns. */
typedef struct judo_shard_range {
    int64_t first, count;       /* elements of the parameter */
    int64_t position;           /* in the weight shard */
    int64_t trainable_position; /* in the other shards; -1: the parameter is frozen */
} judo_shard_range;

/* Fails with JUDO_ERROR_ARGUMENT if the layout's offsets do not tile its units. */
judo_status judo_shard_map_create(judo_shard_map *map, const judo_param_layout *layout,
                                  int rank, int size) JUDO_MUST_CHECK;
void judo_shard_map_destroy(judo_shard_map *map);

/* Elements of a unit's gathered buffer: `size` slices. */
int64_t judo_shard_padded_count(const judo_shard_map *map, int unit);

/* What `map->rank` owns of a parameter; count is 0 if nothing. */
judo_shard_range judo_shard_range_of(const judo_shard_map *map, int param);

/* The slice length of a buffer of `count` elements. */
int64_t judo_shard_slice(int64_t count, int size);

#endif
