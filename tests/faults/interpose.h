/* tests/faults/interpose.h: the parts of the preloaded library.
 */
#ifndef JUDO_TESTS_FAULTS_INTERPOSE_H
#define JUDO_TESTS_FAULTS_INTERPOSE_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* interpose.c. The function of that name behind this library's. */
void *judo_fault_next(const char *name);
ssize_t judo_fault_real_write(int descriptor, const void *data, size_t bytes);

/* power_loss.c: which names and contents are not on disk yet, by the strict rules: a content is
 * there behind fsync of the file, a name behind fsync of its folder. */
void judo_fault_note_created(const char *path);
void judo_fault_note_written(const char *path);
void judo_fault_note_synced(const char *path); /* of a file or a folder */
void judo_fault_note_renaming(const char *from, const char *to);
/* Leaves on disk what a power loss would: contents that were not synced become half and zeros,
 * names that were not synced go back. */
void judo_fault_lose_unsynced(void);

#endif
