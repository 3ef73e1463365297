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

/* Which checkpoints stay. */
typedef struct judo_checkpoint_keep {
    int last;      /* the newest so many; 0: all */
    int64_t every; /* and for good the first at or behind each multiple; 0: none */
} judo_checkpoint_keep;

typedef struct judo_checkpoint_options {
    judo_checkpoint_keep keep;
    bool background; /* copy the state and write the copy beside training */
    bool tolerant;   /* a save that fails is a warning: training goes on */
} judo_checkpoint_options;

/* Saves checkpoints, at most one at a time. The files are written by a thread of its own; what
 * the ranks must agree on happens in the calls below, on the caller's thread. In the background
 * training waits for the copy only: a call to poll at a step boundary, or the next save, ends
 * what is under way. Whatever fails or dies meanwhile, an earlier checkpoint stays whole. */
typedef struct judo_checkpoint_writer judo_checkpoint_writer;

/* Takes the memory of the copy; where a machine has no room for its ranks' copies, warns and
 * saves in the foreground. `comm` and `zero3` are borrowed. Collective. */
judo_status judo_checkpoint_writer_open(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                        const judo_checkpoint_options *options,
                                        judo_checkpoint_writer **out) JUDO_MUST_CHECK;
/* Accepts NULL. Waits for the thread, not for the other ranks: finish first to have what is
 * under way complete. Not collective. */
void judo_checkpoint_writer_close(judo_checkpoint_writer **writer);

/* Bytes of the copy of what this rank owns; 0 in the foreground. */
int64_t judo_checkpoint_writer_bytes(const judo_checkpoint_writer *writer);

/* Begins to save `step`, after the one before is complete; in the foreground, completes it.
 * `state` is the caller's own text (JSON: data cursor, seed, ..), equal on all ranks; rank 0's
 * is kept. Where the file system has less room than the files need, that is JUDO_ERROR_IO
 * before anything is written. Collective. */
judo_status judo_checkpoint_writer_save(judo_checkpoint_writer *writer, int64_t step,
                                        const char *state) JUDO_MUST_CHECK;
/* Takes what is under way one stage further if all ranks are ready; returns the error of a save
 * that failed on any rank. Costs nothing while none is under way. Collective. */
judo_status judo_checkpoint_writer_poll(judo_checkpoint_writer *writer) JUDO_MUST_CHECK;
/* Waits until nothing is under way. However slow the disk, it goes on while bytes are written;
 * without any for the communicator's deadline it is JUDO_ERROR_TIMEOUT. Collective. */
judo_status judo_checkpoint_writer_finish(judo_checkpoint_writer *writer) JUDO_MUST_CHECK;

/* The step of the newest checkpoint that this writer completed; -1 before the first. */
int64_t judo_checkpoint_writer_saved(const judo_checkpoint_writer *writer);

/* One checkpoint in the foreground, all kept. Collective. */
judo_status judo_checkpoint_save(judo_comm *comm, judo_zero3 *zero3, const char *folder,
                                 int64_t step, const char *state) JUDO_MUST_CHECK;

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

/* What a checkpoint's shard files hold together. */
typedef struct judo_checkpoint_contents {
    int num_tensors, num_with_moments;
    int64_t num_elements; /* of the weights */
    int64_t num_bytes;    /* of all files */
} judo_checkpoint_contents;

/* Reads one step's folder whole, block by block: every file is there with its size, every
 * checksum is right, every element there once. The tensors must be the layout's; with NULL they
 * are what the manifest says. Shows its progress. Not collective. */
judo_status judo_checkpoint_verify(const char *path, const judo_param_layout *layout,
                                   judo_checkpoint_info *info,
                                   judo_checkpoint_contents *out) JUDO_MUST_CHECK;

#endif
