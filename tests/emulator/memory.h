/* tests/emulator/memory.h: the memory of the emulated GPU: nobody may touch it but what runs on
 * the GPU. */
#ifndef JUDO_TESTS_EMULATOR_MEMORY_H
#define JUDO_TESTS_EMULATOR_MEMORY_H

#include <stddef.h>

typedef enum emulator_memory_kind {
    EMULATOR_PAGEABLE, /* the host's own */
    EMULATOR_STAGING,
    EMULATOR_DEVICE,
} emulator_memory_kind;

enum { EMULATOR_GIBIBYTES = 8 }; /* of device memory */

/* Filled with not-a-number, between pages that nobody may touch, its end as near to the one
 * behind as its alignment allows. NULL: no memory. */
void *emulator_memory_take(size_t bytes, emulator_memory_kind kind);

/* The addresses are never given out again. False: none of this kind begins here. */
bool emulator_memory_give_back(void *memory, emulator_memory_kind kind);

size_t emulator_memory_left(void);

/* Whose memory it is; fails if it begins in one of the GPU's blocks and ends outside of it. */
emulator_memory_kind emulator_memory_at(const void *memory, size_t bytes);

/* From open to close device memory can be read and written; opened twice is opened once. Close
 * fails if something was written beside a block. */
void emulator_memory_open(void);
void emulator_memory_close(void);

/* Copies from and to memory of any kind, open or not; from NULL: fills with `value`. */
void emulator_memory_copy(void *to, const void *from, int value, size_t bytes);

#endif
