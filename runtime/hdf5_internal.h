/* runtime/hdf5_internal.h: what the files that wrap HDF5 share. Nothing else includes it, and
 * nothing else includes <hdf5.h>. */
#ifndef JUDO_RUNTIME_HDF5_INTERNAL_H
#define JUDO_RUNTIME_HDF5_INTERNAL_H

#include <hdf5.h>

#include "runtime/hdf5_file.h"

enum { JUDO_HDF5_NO_ID = -1 };

struct judo_hdf5_file {
    char *path;
    char *temporary; /* NULL when open for reading */
    hid_t id;
    int descriptor; /* for pread; -1 when open for writing */
    int64_t bytes;
    /* the dataset that is written in pieces */
    hid_t piece_dataset;
    char *piece_name;
    int64_t piece_total, piece_done;
};

/* Every entry into HDF5 stands between enter and leave: one lock, no printed error stacks. */
void judo_hdf5_enter(void);
void judo_hdf5_leave(void);

/* Closes `id` unless it is negative. */
void judo_hdf5_close_id(hid_t id, herr_t (*closer)(hid_t));

/* The element type in files (little-endian, and so in memory), and its size. */
hid_t judo_hdf5_file_type(judo_hdf5_type type);
int64_t judo_hdf5_type_bytes(judo_hdf5_type type);

/* Closes the dataset that is written in pieces, if any. Between enter and leave. */
void judo_hdf5_close_piece(judo_hdf5_file *file);

judo_status judo_hdf5_fail(const judo_hdf5_file *file, judo_status code, const char *dataset,
                           const char *what);

#endif
