/* tests/emulator/mma.h: ldmatrix and mma.sync m16n8k16 by a warp of fibers, and
 * cp.async. */
#ifndef JUDO_TESTS_EMULATOR_MMA_H
#define JUDO_TESTS_EMULATOR_MMA_H

#include <stdint.h>

/* ldmatrix.sync.aligned.m8n8.x4(.trans).shared.b16; `row` is this lane's row of eight elements.
 */
void emulator_load_matrices(uint32_t r[4], const void *row, bool transposed);

/* mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32. Each sum is taken in fp64 and rounded
 * once; the hardware's order of sums is its own. */
void emulator_multiply_add(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1);

/* cp.async.cg of 16 bytes to launch memory, zeros from NULL: done when the thread waits, so
 * that one that does not reads what was there before. */
void emulator_start_copy(void *shared, const void *global);
/* cp.async.wait_all. */
void emulator_copies_arrive(void);
/* cp.async.commit_group and cp.async.wait_group: only what must have arrived has. */
void emulator_close_copies(void);
void emulator_copies_arrive_but(unsigned open);

#endif
