/* parallel/checkpoint_files.h: the files of a checkpoint, shared by the checkpoint_*.c files.
 */
#ifndef JUDO_PARALLEL_CHECKPOINT_FILES_H
#define JUDO_PARALLEL_CHECKPOINT_FILES_H

#include "parallel/checkpoint.h"

enum {
    JUDO_CHECKPOINT_VERSION = 1,
    JUDO_CHECKPOINT_NAME_BYTES = 32,          /* "step-000500" */
    JUDO_CHECKPOINT_BLOCK_ELEMENTS = 1 << 20, /* per checksum */
    JUDO_CHECKPOINT_MAX_RANKS = 1 << 16,
};

/* Endings of a checkpoint's name while it is not one. */
#define JUDO_CHECKPOINT_TEMPORARY ".tmp"  /* being written */
#define JUDO_CHECKPOINT_REPLACED  ".old"  /* whole; another takes its name */
#define JUDO_CHECKPOINT_DOOMED    ".gone" /* being removed */

/* What identifies a shard file's content. */
typedef struct judo_shard_seal {
    int64_t bytes;      /* of the file */
    int64_t header_crc; /* of the header, which has the checksums of all the rest */
} judo_shard_seal;

typedef struct judo_manifest {
    int64_t step;
    int world_size;
    char *state;
    judo_shard_seal *seals; /* [world_size] */
    judo_param *tensors; /* [num_tensors] names and counts; only of one read without a layout */
    int num_tensors;
} judo_manifest;

/* checkpoint_manifest.c. Reading checks the text's own checksum and that the tensors are the
 * layout's, or with NULL takes them as they are. */
judo_status judo_manifest_write(const char *folder, const judo_manifest *manifest,
                                const judo_param_layout *layout) JUDO_MUST_CHECK;
judo_status judo_manifest_read(const char *folder, const judo_param_layout *layout,
                               judo_manifest *out) JUDO_MUST_CHECK;
void judo_manifest_free(judo_manifest *manifest);
/* A bound on the file's bytes, without the seals being known. */
int64_t judo_manifest_most_bytes(const judo_manifest *manifest,
                                 const judo_param_layout *layout);

/* A range of one of a parameter's arrays, as a shard file has it. */
typedef struct judo_shard_piece {
    const char *tensor; /* borrowed from the layout */
    int kind;
    int64_t first, count;
    const float *data; /* of split weights only in a copy */
} judo_shard_piece;

/* What this rank's file will hold; with a copy, training may go on while it is written. */
typedef struct judo_snapshot {
    judo_shard_piece *pieces;
    int num_pieces;
    int64_t data_bytes; /* of all pieces */
    const judo_device *device;
    bool keeps_copy; /* from one save to the next */
    float *copy;     /* staging memory; NULL: the pieces are the live arrays */
} judo_snapshot;

/* checkpoint_snapshot.c. Room for what this rank owns, with every page of the copy in memory.
 * Taking it copies, or points to the live arrays; where the host cannot read those, or weights
 * are split, what keeps no copy has one from being taken to being written. */
judo_status judo_snapshot_create(judo_zero3 *zero3, bool with_copy,
                                 judo_snapshot *out) JUDO_MUST_CHECK;
judo_status judo_snapshot_take(judo_snapshot *snapshot, judo_zero3 *zero3) JUDO_MUST_CHECK;
/* Whether nothing can be written but a copy, because it lies in a device's memory. */
bool judo_snapshot_must_copy(const judo_zero3 *zero3);
void judo_snapshot_written(judo_snapshot *snapshot);
void judo_snapshot_free(judo_snapshot *snapshot);

/* checkpoint_shard_write.c: writes and syncs this rank's file. `progress` counts bytes for
 * whoever watches. Not collective: runs on the writer's thread. */
judo_status judo_shard_file_write(const char *folder, const judo_snapshot *snapshot, int rank,
                                  int size, int64_t step, _Atomic int64_t *progress,
                                  judo_shard_seal *seal) JUDO_MUST_CHECK;
/* A bound on the file's bytes before there is a header. */
int64_t judo_shard_file_most_bytes(const judo_snapshot *snapshot);

/* checkpoint_shard_read.c: reads every file's ranges that this rank owns; each owned element
 * must come exactly once. */
judo_status judo_shard_files_read(const char *folder, judo_zero3 *zero3,
                                  const judo_manifest *manifest) JUDO_MUST_CHECK;
/* Reads and verifies every element of every tensor of `layout`, of which only names and counts
 * matter, and keeps none. Moments may be absent: of *with_moments tensors they are there. */
judo_status judo_shard_files_verify(const char *folder, const judo_param_layout *layout,
                                    const judo_manifest *manifest,
                                    int *with_moments) JUDO_MUST_CHECK;

/* The three arrays of a parameter, in file order. */
enum { JUDO_SHARD_KINDS = 3 };

extern const char *const judo_shard_kind_names[JUDO_SHARD_KINDS];
/* This rank's part of one kind; NULL if the parameter has no moments, or split weights. */
float *judo_shard_kind_data(const judo_zero3_owned *part, int kind);
/* Whether there is such a kind, as an array or split. */
bool judo_shard_kind_is_kept(const judo_zero3 *zero3, const judo_zero3_owned *part, int kind);

typedef struct judo_shard_prefix {
    char magic[8];
    uint32_t version;
    uint32_t header_crc;
    uint64_t header_bytes;
    uint64_t zero;
} judo_shard_prefix;

extern const char judo_shard_magic[8];
/* Where the data begins behind a header. */
int64_t judo_shard_data_start(uint64_t header_bytes);
/* "FOLDER/shard-00000-of-00004.judo"; free() it. */
judo_status judo_shard_file_path(const char *folder, int rank, int size,
                                 char **out) JUDO_MUST_CHECK;
/* "FOLDER/NAME"; free() it. */
judo_status judo_checkpoint_join(const char *folder, const char *name,
                                 char **out) JUDO_MUST_CHECK;

/* checkpoint_places.c: the paths of one save. */
typedef struct judo_checkpoint_places {
    char name[JUDO_CHECKPOINT_NAME_BYTES];
    char *folder, *final_path, *temporary, *replaced, *latest;
} judo_checkpoint_places;

judo_status judo_checkpoint_places_make(const char *folder, int64_t step,
                                        judo_checkpoint_places *out) JUDO_MUST_CHECK;
void judo_checkpoint_places_free(judo_checkpoint_places *places);
/* An empty temporary folder, where the file system has room for `needed` bytes. Rank 0. */
judo_status judo_checkpoint_places_prepare(const judo_checkpoint_places *places,
                                           int64_t needed) JUDO_MUST_CHECK;
/* All shard files are on disk: writes the manifest, gives the folder its name and points
 * `latest` to it. Rank 0, on the writer's thread. */
judo_status judo_checkpoint_places_publish(const judo_checkpoint_places *places,
                                           const judo_manifest *manifest,
                                           const judo_param_layout *layout) JUDO_MUST_CHECK;

/* checkpoint_folder.c. Not collective: rank 0's business. */
void judo_checkpoint_name(int64_t step, char out[JUDO_CHECKPOINT_NAME_BYTES]);
/* Complete checkpoints, newest first; free() the array. */
judo_status judo_checkpoint_list(const char *folder, int64_t **steps,
                                 int *num_steps) JUDO_MUST_CHECK;
/* The step that FOLDER/latest names; -1 if there is no such file. */
judo_status judo_checkpoint_latest(const char *folder, int64_t *step) JUDO_MUST_CHECK;
/* Removes a folder of plain files; one that does not exist is fine. */
judo_status judo_checkpoint_remove(const char *path) JUDO_MUST_CHECK;
/* Removes what a killed run left behind. */
judo_status judo_checkpoint_remove_leftovers(const char *folder) JUDO_MUST_CHECK;
/* Of the checkpoints up to step `newest`, removes all that `keep` does not ask for. Later ones
 * are of a run that was set back: they are replaced when it comes there again. */
judo_status judo_checkpoint_prune(const char *folder, int64_t newest,
                                  judo_checkpoint_keep keep) JUDO_MUST_CHECK;
/* A checkpoint that is replaced by another of the same step is moved aside for the moment
 * between two renames: one that a crash left there gets its name back. */
judo_status judo_checkpoint_recover(const char *folder) JUDO_MUST_CHECK;

#endif
