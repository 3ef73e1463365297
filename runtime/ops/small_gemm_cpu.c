/* runtime/ops/small_gemm_cpu.c: products of matrices that lie in the first caches, on one
 * thread. Attention is built from it. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* Accumulators, a vector of each column and one of a fill the 32 registers of AVX-512. */
enum { TILE_ROWS = 6, TILE_VECTORS = 5 };

/* `rows` x `vectors` accumulators stay in registers; both are constants after inlining. */
JUDO_INLINE void tile(float *c, int64_t ldc, const float *a, int64_t a_row, int64_t a_column,
                      const float *b, int64_t ldb, int k, bool accumulate, const int rows,
                      const int vectors)
{
    judo_vector sums[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            sums[i][j] = accumulate ? judo_vector_load(c + i * ldc + j * JUDO_LANES, JUDO_LANES)
                                    : judo_vector_all(0.0f);
        }
    }
    for (int p = 0; p < k; p++) {
        judo_vector right[TILE_VECTORS];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            right[j] = judo_vector_load(b + p * ldb + j * JUDO_LANES, JUDO_LANES);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            judo_vector left = judo_vector_all(a[i * a_row + p * a_column]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++) {
                sums[i][j] = judo_vector_fma(left, right[j], sums[i][j]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            judo_vector_store(c + i * ldc + j * JUDO_LANES, sums[i][j], JUDO_LANES);
        }
    }
}

#define TILE_CASE(rows, vectors)                                                               \
    case rows:                                                                                 \
        tile(c, ldc, a, a_row, a_column, b, ldb, k, accumulate, rows, vectors);                \
        break

/* A strip of `vectors` * 16 columns of c, all rows, `most` together. */
#define DEFINE_STRIP(vectors, most)                                                            \
    static void strip_##vectors(float *c, int64_t ldc, const float *a, int64_t a_row,          \
                                int64_t a_column, const float *b, int64_t ldb, int m, int k,   \
                                bool accumulate)                                               \
    {                                                                                          \
        for (; m > 0; m -= (most)) {                                                           \
            switch (m < (most) ? m : (most)) {                                                 \
                TILE_CASE(1, vectors);                                                         \
                TILE_CASE(2, vectors);                                                         \
                TILE_CASE(3, vectors);                                                         \
                TILE_CASE(4, vectors);                                                         \
                TILE_CASE(5, vectors);                                                         \
            default:                                                                           \
                tile(c, ldc, a, a_row, a_column, b, ldb, k, accumulate, most, vectors);        \
            }                                                                                  \
            c += (most)*ldc;                                                                   \
            a += (most)*a_row;                                                                 \
        }                                                                                      \
    }

DEFINE_STRIP(1, 6)
DEFINE_STRIP(2, 6)
DEFINE_STRIP(3, 6)
DEFINE_STRIP(4, 6)
DEFINE_STRIP(5, 5)

void judo_cpu_small_gemm(float *c, int64_t ldc, const float *a, int64_t a_row, int64_t a_column,
                         const float *b, int64_t ldb, int m, int n, int k, bool accumulate)
{
    static void (*const strips[])(float *, int64_t, const float *, int64_t, int64_t,
                                  const float *, int64_t, int, int,
                                  bool) = {strip_1, strip_2, strip_3, strip_4, strip_5};
    int left = n / JUDO_LANES;
    int column = 0;
    while (left > 0) {
        int vectors = left < TILE_VECTORS ? left : left == TILE_VECTORS ? 5 : 4;
        strips[vectors - 1](c + column, ldc, a, a_row, a_column, b + column, ldb, m, k,
                            accumulate);
        column += vectors * JUDO_LANES;
        left -= vectors;
    }
    for (; column < n; column++) {
        for (int i = 0; i < m; i++) {
            float sum = accumulate ? c[i * ldc + column] : 0.0f;
            for (int p = 0; p < k; p++) {
                sum = fmaf(a[i * a_row + p * a_column], b[p * ldb + column], sum);
            }
            c[i * ldc + column] = sum;
        }
    }
}
