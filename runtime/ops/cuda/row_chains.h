/* runtime/ops/cuda/row_chains.h: a list of row indices as chains of equal indices, so that one
 * block of a kernel owns a row and meets its places in their order. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ROW_CHAINS_H
#define JUDO_RUNTIME_OPS_CUDA_ROW_CHAINS_H

#include <stdint.h>

/* firsts[0 .. returned) = the places, ascending, where an index stands for the first time;
 * next[i] = the next place of index[i], or -1. `seen` is work memory for `rows` places. All
 * indices lie in [0, rows). */
int64_t judo_row_chains(int32_t *firsts, int32_t *next, int32_t *seen, const int32_t *index,
                        int64_t count, int64_t rows);

#endif
