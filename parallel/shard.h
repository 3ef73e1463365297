/* parallel/shard.h: which rank stores which elements. Index arithmetic only.
 *
 * The ranks form `num_replicas` groups of `size`. A unit's flat buffer of `count` elements is
 * cut into `size` equal slices, the last ones padded; member r of every group stores elements
 * [r * slice, (r+1) * slice). Of the `num_replicas` equal parts of a slice, the group's number
 * says which one a rank owns: every element has one owner, and `num_replicas` ranks that store
 * it. A rank's slices of all units lie one behind the other in its flat shard; moments and
 * gradients have such a shard without the frozen units. */
#ifndef JUDO_PARALLEL_SHARD_H
#define JUDO_PARALLEL_SHARD_H

#include "runtime/params.h"

enum { JUDO_SHARD_ALIGNMENT = 32 }; /* elements: parts of 2 bytes each begin on cache lines */

typedef struct judo_shard_map {
    const judo_param_layout *layout; /* borrowed */
    int rank, size;                  /* within the group */
    int replica, num_replicas;       /* the group's number, and how many there are */
    int64_t *slice;                  /* [num_units] elements per rank, padding included */
    int64_t *position;               /* [num_units] first element in the weight shard */
    int64_t *trainable_position; /* [num_units] in the gradient and moment shards; -1: frozen */
    int *unit_of_param;          /* [num_params] */
    int64_t total;               /* elements of the weight shard */
    int64_t trainable_total;     /* elements of the gradient and moment shards */
} judo_shard_map;

/* Elements of a parameter that lie on this rank. */
typedef struct judo_shard_range {
    int unit;
    int64_t first, count; /* elements of the parameter; count 0: none */
    int64_t at;           /* of the first one, behind the beginning of the unit's slice */
    bool frozen;
} judo_shard_range;

/* Fails with JUDO_ERROR_ARGUMENT if the layout's offsets do not tile its units. */
judo_status judo_shard_map_create(judo_shard_map *map, const judo_param_layout *layout,
                                  int rank, int size, int replica,
                                  int num_replicas) JUDO_MUST_CHECK;
void judo_shard_map_destroy(judo_shard_map *map);

/* Elements of a unit's gathered buffer: `size` slices. */
int64_t judo_shard_padded_count(const judo_shard_map *map, int unit);
/* Elements of the part of a slice that a rank owns. */
int64_t judo_shard_part(const judo_shard_map *map, int unit);

/* What this rank stores of a parameter: its slice's share. */
judo_shard_range judo_shard_stored(const judo_shard_map *map, int param);
/* What it owns of that. */
judo_shard_range judo_shard_owned(const judo_shard_map *map, int param);

/* The slice length of a buffer of `count` elements. */
int64_t judo_shard_slice(int64_t count, int size, int num_replicas);

#endif
