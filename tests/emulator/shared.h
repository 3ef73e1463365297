/* tests/emulator/shared.h: the shared memory of the block that runs. */
#ifndef JUDO_TESTS_EMULATOR_SHARED_H
#define JUDO_TESTS_EMULATOR_SHARED_H

#include <stddef.h>

/* The launch's part, ending at a page that nobody may touch. */
void emulator_open_shared(size_t launch_bytes);

/* Fills everything with not-a-number. */
void emulator_spoil_shared(void);

/* To stderr: the file and offset of a kernel, as addr2line takes them. */
void emulator_print_kernel(const void *kernel);

#endif
