/* runtime/hdf5_internal.h: what hdf5_file.c, the only file that calls HDF5, does for its
 * neighbours that check and count. Names are dataset names; each call takes HDF5's lock itself.
 */
#ifndef JUDO_RUNTIME_HDF5_INTERNAL_H
#define JUDO_RUNTIME_HDF5_INTERNAL_H

#include "runtime/hdf5_file.h"

struct judo_hdf5_file {
    char *path;
    char *temporary; /* NULL when open for reading */
    int64_t id;      /* HDF5's; negative when closed */
    int descriptor;  /* for pread; -1 when open for writing */
    int64_t bytes;
    /* the dataset that is written in pieces; its id is negative when there is none */
    int64_t piece_id;
    char *piece_name;
    int64_t piece_total, piece_done;
};

/* What a dataset is, with its storage when that is contiguous. extent.bytes is not set. */
typedef struct judo_hdf5_description {
    judo_hdf5_extent extent; /* a dimension or offset that does not fit is -1 */
    bool exists, known_type, contiguous;
    int rank;
} judo_hdf5_description;

judo_hdf5_description judo_hdf5_describe(const judo_hdf5_file *file, const char *name);
/* Reads a whole dataset, false on failure. */
bool judo_hdf5_fetch(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                     void *out);
/* Creates a contiguous dataset and returns its id, negative on failure. */
int64_t judo_hdf5_add(const judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                      const int64_t *dims, int num_dims);
/* Fills all of a dataset, or `length` bytes from `start` of a 1-D u8 dataset. */
bool judo_hdf5_fill(int64_t id, judo_hdf5_type type, const void *values);
bool judo_hdf5_fill_range(int64_t id, int64_t start, int64_t length, const void *bytes);
/* Closes the dataset; accepts a negative id. */
void judo_hdf5_end_dataset(int64_t id);

/* Bytes of one element. */
static inline int64_t judo_hdf5_type_size(judo_hdf5_type type)
{
    return type == JUDO_HDF5_U8 ? 1 : type == JUDO_HDF5_I64 || type == JUDO_HDF5_U64 ? 8 : 4;
}

/* JUDO_FAIL that names file and dataset. */
judo_status judo_hdf5_fail(const judo_hdf5_file *file, judo_status code, const char *dataset,
                           const char *what);

#endif
