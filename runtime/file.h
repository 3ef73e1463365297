/* runtime/file.h: whole-file and positioned I/O that retries short transfers, and writing that
 * appears at its path complete or not at all. Errors name the path and the system's reason. */
#ifndef JUDO_RUNTIME_FILE_H
#define JUDO_RUNTIME_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"

/* Reads a whole file of at most `max_bytes` (JUDO_ERROR_FORMAT if longer). `out` is
 * NUL-terminated behind `length`; free() it. */
judo_status judo_file_read_all(const char *path, size_t max_bytes, char **out,
                               size_t *length) JUDO_MUST_CHECK;

/* Transfers exactly `bytes` at `offset`; a file that ends earlier is JUDO_ERROR_FORMAT. `path`
 * only names the file in errors. Safe from several threads. */
judo_status judo_file_pread(int descriptor, const char *path, void *out, size_t bytes,
                            int64_t offset) JUDO_MUST_CHECK;
judo_status judo_file_pwrite(int descriptor, const char *path, const void *in, size_t bytes,
                             int64_t offset) JUDO_MUST_CHECK;

/* Writes a whole file through a temporary neighbour: a reader sees the old or the new content.
 */
judo_status judo_file_replace(const char *path, const void *content,
                              size_t bytes) JUDO_MUST_CHECK;

/* fsyncs `temporary`, renames it to `path` and fsyncs the folder. */
judo_status judo_file_publish(const char *temporary, const char *path) JUDO_MUST_CHECK;

/* The name of the temporary neighbour of `path` ("PATH.partial.PID"); free() it. */
judo_status judo_file_temporary(const char *path, char **out) JUDO_MUST_CHECK;

/* fsync. `path` only names the file in errors. */
judo_status judo_file_sync(int descriptor, const char *path) JUDO_MUST_CHECK;

/* Bytes that this user may still write to the file system where `path` lies or, if it is not
 * there yet, would lie. */
judo_status judo_file_free_bytes(const char *path, int64_t *out) JUDO_MUST_CHECK;

/* Creates a folder and its missing parents. */
judo_status judo_file_make_folder(const char *path) JUDO_MUST_CHECK;

#endif
