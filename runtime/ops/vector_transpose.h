/* runtime/ops/vector_transpose.h: a 16 x 16 block of words turned over in registers. */
#ifndef JUDO_RUNTIME_OPS_VECTOR_TRANSPOSE_H
#define JUDO_RUNTIME_OPS_VECTOR_TRANSPOSE_H

#include "runtime/ops/vector_math.h"

/* Swaps bit `SHIFT` of row and column numbers of a 16 x 16 block held in registers. */
#define EXCHANGE(SHIFT, LOW, HIGH)                                                             \
    for (int i = 0; i < JUDO_LANES; i++) {                                                     \
        if (!(i & (SHIFT))) {                                                                  \
            judo_vector a = block[i];                                                          \
            judo_vector b = block[i + (SHIFT)];                                                \
            block[i] = __builtin_shufflevector(a, b, LOW);                                     \
            block[i + (SHIFT)] = __builtin_shufflevector(a, b, HIGH);                          \
        }                                                                                      \
    }
#define LOW1  0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW2  0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW4  0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW8  0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

/* Element (i,j) becomes (j,i). */
JUDO_INLINE void judo_vector_transpose(judo_vector block[JUDO_LANES])
{
#pragma GCC unroll 16
    EXCHANGE(1, LOW1, HIGH1)
#pragma GCC unroll 16
    EXCHANGE(2, LOW2, HIGH2)
#pragma GCC unroll 16
    EXCHANGE(4, LOW4, HIGH4)
#pragma GCC unroll 16
    EXCHANGE(8, LOW8, HIGH8)
}

#undef EXCHANGE
#undef LOW1
#undef HIGH1
#undef LOW2
#undef HIGH2
#undef LOW4
#undef HIGH4
#undef LOW8
#undef HIGH8

#endif
