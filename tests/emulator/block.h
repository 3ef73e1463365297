/* tests/emulator/block.h: the threads of a CUDA block as fibers of one host thread: where they
 * are, barriers, and what the lanes of a warp do together. What would hang or be undefined on a
 * GPU ends the process with words on stderr. */
#ifndef JUDO_TESTS_EMULATOR_BLOCK_H
#define JUDO_TESTS_EMULATOR_BLOCK_H

#include <functional>
#include <stddef.h>
#include <stdint.h>

#include "tests/emulator/vector_types.h"

enum { EMULATOR_WARP = 32, EMULATOR_MOST_THREADS = 1024 };

/* Shared memory of a block: without asking, and at most (compute capability 8.0). */
enum { EMULATOR_SHARED = 48 << 10, EMULATOR_MOST_SHARED = 163 << 10 };

typedef enum emulator_barrier_kind { EMULATOR_SYNC, EMULATOR_SYNC_OR } emulator_barrier_kind;

/* Of the thread that runs. */
typedef struct emulator_indices {
    uint3 thread, block;
    dim3 block_size, grid;
} emulator_indices;

extern emulator_indices emulator_place;

/* What a kernel is launched with. */
typedef struct emulator_shape {
    const void *kernel;
    dim3 grid;
    int threads;
    size_t shared_bytes;
} emulator_shape;

/* Runs `thread` for every thread of every block of the grid. With `backward`, blocks and
 * threads run in the opposite order: a kernel that needs a barrier that it lacks fails in one
 * of the two. Shared memory holds not-a-number when a block starts. */
void emulator_run_grid(const emulator_shape *shape, const std::function<void()> &thread,
                       bool backward);

/* All threads of the block; returns whether any predicate was not 0. */
int emulator_barrier(emulator_barrier_kind kind, int predicate);

/* All lanes of `mask` come here with the same work, which is done once, on what each brings
 * (operands[lane]), when the last has come. */
typedef void (*emulator_warp_work)(void *const operands[EMULATOR_WARP]);
void emulator_warp_meets(emulator_warp_work work, unsigned mask, void *operand);

/* The bits of the lane whose number differs in the bits `lanes`. */
uint64_t emulator_shuffle_xor(unsigned mask, uint64_t bits, int lanes);

/* The shared memory that the launch asked for. */
unsigned char *emulator_launch_memory(void);

/* Fails unless the bytes are launch memory and aligned. */
void emulator_check_shared(const void *address, size_t bytes, size_t alignment);

[[noreturn]] void emulator_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
