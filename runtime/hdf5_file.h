/* runtime/hdf5_file.h: the part of HDF5 that judo's datasets use: contiguous uncompressed
 * arrays, string lists as flat bytes plus offsets, root attributes. Names are paths such as
 * "/images/pixels"; missing groups are created. Errors name file and dataset. Readers take no
 * file lock. Calls are serialised inside (HDF5 has one global lock anyhow); judo_hdf5_pread
 * takes none and is the way for loader threads. */
#ifndef JUDO_RUNTIME_HDF5_FILE_H
#define JUDO_RUNTIME_HDF5_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

enum { JUDO_HDF5_MAX_DIMS = 4 };

typedef enum judo_hdf5_type {
    JUDO_HDF5_U8,
    JUDO_HDF5_I32,
    JUDO_HDF5_I64,
    JUDO_HDF5_U64,
    JUDO_HDF5_F32,
} judo_hdf5_type;

typedef struct judo_hdf5_file judo_hdf5_file;

/* Writing. `create` opens a temporary neighbour of `path`; only `commit` makes it appear at
 * `path` (flush, fsync, rename) and frees the file, also on failure; `close` instead discards
 * it.
 */
judo_status judo_hdf5_create(const char *path, judo_hdf5_file **out) JUDO_MUST_CHECK;
judo_status judo_hdf5_commit(judo_hdf5_file **file) JUDO_MUST_CHECK;

/* Opens read-only. */
judo_status judo_hdf5_open(const char *path, judo_hdf5_file **out) JUDO_MUST_CHECK;
/* Accepts NULL and a NULL file. */
void judo_hdf5_close(judo_hdf5_file **file);
const char *judo_hdf5_path(const judo_hdf5_file *file);

/* Writes a whole dataset of 1 or more dimensions. Zero elements are fine. */
judo_status judo_hdf5_write(judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                            const int64_t *dims, int num_dims,
                            const void *values) JUDO_MUST_CHECK;
/* Writes `name`/bytes (u8) and `name`/offsets (u64, n + 1 entries). Strings may hold any bytes;
 * `lengths` NULL: they end at NUL. */
judo_status judo_hdf5_write_strings(judo_hdf5_file *file, const char *name,
                                    const char *const *strings, const size_t *lengths,
                                    int64_t n) JUDO_MUST_CHECK;

/* Writes a 1-D u8 dataset of `total` bytes in pieces; one at a time per file. `end` fails
 * unless exactly `total` bytes were appended. */
judo_status judo_hdf5_write_begin(judo_hdf5_file *file, const char *name,
                                  int64_t total) JUDO_MUST_CHECK;
judo_status judo_hdf5_write_append(judo_hdf5_file *file, const void *bytes,
                                   int64_t length) JUDO_MUST_CHECK;
judo_status judo_hdf5_write_end(judo_hdf5_file *file) JUDO_MUST_CHECK;

/* Reading. */
bool judo_hdf5_has(judo_hdf5_file *file, const char *name);
/* Reads a whole dataset of exactly `type` into memory that the caller free()s. More than
 * `max_count` elements are an error before any allocation. `dims` holds JUDO_HDF5_MAX_DIMS;
 * `dims` and `num_dims` may be NULL. */
judo_status judo_hdf5_read(judo_hdf5_file *file, const char *name, judo_hdf5_type type,
                           int64_t max_count, void **values, int64_t *dims,
                           int *num_dims) JUDO_MUST_CHECK;

/* String i is the bytes [offsets[i], offsets[i + 1]); it is not NUL-terminated. */
typedef struct judo_hdf5_strings {
    char *bytes;
    uint64_t *offsets; /* count + 1, rising from 0 to the number of bytes (checked) */
    int64_t count;
} judo_hdf5_strings;

/* At most `max_bytes` of text and offsets together. */
judo_status judo_hdf5_read_strings(judo_hdf5_file *file, const char *name, int64_t max_bytes,
                                   judo_hdf5_strings *out) JUDO_MUST_CHECK;
void judo_hdf5_strings_free(judo_hdf5_strings *strings);

/* Where a contiguous dataset of a file open for reading lies. */
typedef struct judo_hdf5_extent {
    judo_hdf5_type type;
    int num_dims;
    int64_t dims[JUDO_HDF5_MAX_DIMS];
    int64_t offset; /* of the first byte in the file */
    int64_t bytes;
} judo_hdf5_extent;

/* Fails for compressed, chunked or empty-space datasets and for foreign byte orders; the extent
 * is checked to lie within the file. */
judo_status judo_hdf5_dataset_extent(judo_hdf5_file *file, const char *name,
                                     judo_hdf5_extent *out) JUDO_MUST_CHECK;
/* Reads bytes [first, first + length) of the extent. Lock-free, safe from several threads. */
judo_status judo_hdf5_pread(const judo_hdf5_file *file, const judo_hdf5_extent *extent,
                            int64_t first, int64_t length, void *out) JUDO_MUST_CHECK;

/* Attributes of the root group. A string is free()d by the caller. */
judo_status judo_hdf5_set_attribute_string(judo_hdf5_file *file, const char *name,
                                           const char *value) JUDO_MUST_CHECK;
judo_status judo_hdf5_set_attribute_int(judo_hdf5_file *file, const char *name,
                                        int64_t value) JUDO_MUST_CHECK;
judo_status judo_hdf5_get_attribute_string(judo_hdf5_file *file, const char *name,
                                           char **out) JUDO_MUST_CHECK;
judo_status judo_hdf5_get_attribute_int(judo_hdf5_file *file, const char *name,
                                        int64_t *out) JUDO_MUST_CHECK;

/* Version of the HDF5 library, "1.10.8". */
void judo_hdf5_version(char *out, size_t bytes);

#endif
