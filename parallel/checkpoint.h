/* parallel/checkpoint.h: the sharded state of a run on disk, readable at any number of ranks.
 *
 * FOLDER/step-000500/ holds manifest.json (step, number of ranks, the caller's state, tensors
 * by logical name, and each shard file's size and checksum) and one shard file per rank: which
 * ranges of which tensors it has, checksums per block, then raw little-endian fp32 weights and
 * moments. All of it is written to a temporary folder, synced, agreed on and renamed;
 * FOLDER/latest names it last. A reader takes the ranges that it owns now from whichever files
 * have them: the same bits at any number of ranks. */
#ifndef JUDO_PARALLEL_CHECKPOINT_H
#define JUDO_PARALLEL_CHECKPOINT_H

#include "parallel/zero3.h"

/* Writes `step`. `state` is the caller's own text (JSON: data cursor, seed, ..), equal on all
 * ranks; rank 0's is kept. Then removes all but the newest `keep_last` checkpoints (0: keeps
 * all). An earlier checkpoint stays whole whatever fails. Collective. */
judo_status judo_checkpoint_save(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 int64_t step, const char *state,
                                 int keep_last) JUDO_MUST_CHECK;

typedef struct judo_checkpoint_info {
    int64_t step;
    int world_size; /* that wrote it */
    char *state;    /* owned; judo_checkpoint_info_free */
} judo_checkpoint_info;

void judo_checkpoint_info_free(judo_checkpoint_info *info);

/* True on all ranks if FOLDER has a complete checkpoint. Collective. */
judo_status judo_checkpoint_exists(judo_comm *comm, const char *folder,
                                   bool *exists) JUDO_MUST_CHECK;

/* Loads what FOLDER/latest names (the newest, if there is no such file). With `fall_back`, one
 * that is damaged is warned of and the next older one is tried. After a failure the contents of
 * `zero3` are undefined. Collective. */
judo_status judo_checkpoint_load(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 bool fall_back, judo_checkpoint_info *out) JUDO_MUST_CHECK;

/* Loads one step's folder. Parameters that have no moments (frozen, or a weights-only `zero3`)
 * take the weights only. Collective. */
judo_status judo_checkpoint_load_from(judo_comm *comm, judo_zero3 *zero3, const char *path,
                                      judo_checkpoint_info *out) JUDO_MUST_CHECK;

#endif
