/* runtime/ops/cuda/row_chains.c: see row_chains.h. */
#include "runtime/ops/cuda/row_chains.h"

int64_t judo_row_chains(int32_t *firsts, int32_t *next, int32_t *seen, const int32_t *index,
                        int64_t count, int64_t rows)
{
    int64_t chains = 0;
    for (int64_t i = 0; i < rows; i++) {
        seen[i] = -1;
    }
    for (int64_t i = 0; i < count; i++) {
        int32_t before = seen[index[i]];
        if (before < 0) {
            firsts[chains++] = (int32_t)i;
        } else {
            next[before] = (int32_t)i;
        }
        next[i] = -1;
        seen[index[i]] = (int32_t)i;
    }
    return chains;
}
