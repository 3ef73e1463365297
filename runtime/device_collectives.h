/* runtime/device_collectives.h: exchange between the devices of several processes, a table that
 * a device may have (on CUDA: NCCL). It starts things; who waits, and how long, is the
 * caller's. */
#ifndef JUDO_RUNTIME_DEVICE_COLLECTIVES_H
#define JUDO_RUNTIME_DEVICE_COLLECTIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"
#include "runtime/tensor.h"

/* A queue of work; see runtime/device.h. */
typedef struct judo_stream judo_stream;
/* Processes, each with a device of its own, that exchange data. */
typedef struct judo_device_group judo_device_group;

enum {
    JUDO_DEVICE_GROUP_ID = 128,   /* bytes */
    JUDO_DEVICE_PLACE_BYTES = 32, /* with the closing 0 */
};

/* What became of memory that was lent to a group. */
typedef enum judo_device_loan {
    JUDO_LOAN_NONE,   /* the library cannot use it better */
    JUDO_LOAN_PLAIN,  /* registered */
    JUDO_LOAN_SHARED, /* likewise, and of the library's own kind */
} judo_device_loan;

/* All pointers but `id`, `place` and `group` are to the device's memory, and nothing here waits
 * for another process. Calls of a group are made in the same order by all its members. After
 * each of them (pack and sum are none) only `settled` and `force_end` may be called on the
 * group, and nothing be queued on the stream, until it has settled. */
typedef struct judo_device_collectives {
    const char *description; /* what it is and which version: "NCCL 2.28.9" */

    /* What tells this device from the others of its machine. */
    judo_status (*place)(char place[JUDO_DEVICE_PLACE_BYTES]);

    /* A new group's name, made by one of its members for all of them. */
    judo_status (*make_id)(unsigned char id[JUDO_DEVICE_GROUP_ID]);
    judo_status (*begin)(judo_device_group **group, const unsigned char *id, int rank,
                         int size);
    /* Whether what was begun is accepted: a group formed, an exchange queued. Also the place
     * where failures come out that happened meanwhile (JUDO_ERROR_COMM); cheap. */
    judo_status (*settled)(judo_device_group *group, bool *done);
    /* Begins to take the group down in good order; release it once that settled. */
    judo_status (*close)(judo_device_group *group);
    void (*release)(judo_device_group *group);
    /* Ends the group at once, with all that is under way, and releases it; takes seconds at
     * most, even where the library does not come back. */
    void (*force_end)(judo_device_group *group);

    /* out[rank * slice_bytes ..] = every member's slice, which may lie in its place there. */
    judo_status (*all_gather)(judo_device_group *group, const void *slice, int64_t slice_bytes,
                              void *out, judo_stream *stream);
    /* sums[i] = the sum over members of values[rank * slice + i], in an order that only the
     * library knows, which is the same in every run on the same machines. `sums` may be this
     * member's slice of `values`. */
    judo_status (*reduce_scatter)(judo_device_group *group, const float *values, float *sums,
                                  int64_t slice, judo_stream *stream);
    /* Piece `r` of `leaving` goes to member r; piece `r` of `arriving` comes from there. */
    judo_status (*exchange)(judo_device_group *group, const void *leaving, void *arriving,
                            int64_t piece_bytes, judo_stream *stream);

    /* Around it, without a group. pack: pieces[r * count + i] = values[r * slice + first + i]
     * in `wire`'s dtype, for `size` pieces. sum: shard[i] = or += ((p0 + p1) + ..)[i] in fp32.
     */
    judo_status (*pack)(void *pieces, judo_dtype wire, const float *values, int64_t slice,
                        int64_t first, int64_t count, int size, judo_stream *stream);
    judo_status (*sum)(float *shard, bool add, const void *pieces, judo_dtype wire,
                       int64_t count, int size, judo_stream *stream);

    /* Memory that the group's exchanges are fastest with; it goes when the group goes. */
    judo_status (*allocate)(judo_device_group *group, void **memory, int64_t bytes);
    /* Makes exchanges from and to this memory faster, where the library can; the caller keeps
     * it for as long as the group lives. All members must end with the same kind of loan, or
     * take theirs back: what the library does otherwise is not defined. */
    judo_status (*lend)(judo_device_group *group, void *memory, int64_t bytes,
                        judo_device_loan *loan);
    /* The end of the last loan, before anything is exchanged. */
    judo_status (*take_back)(judo_device_group *group);
} judo_device_collectives;

#endif
