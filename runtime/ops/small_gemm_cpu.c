/* runtime/ops/small_gemm_cpu.c: products of matrices that lie in the first caches, on one
 * thread. Attention is built from it. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* Accumulators, a vector of each column and one of a fill the 32 registers of AVX-512. */
enum { TILE_ROWS = 6, TILE_VECTORS = 5 };

/* A strip of columns of the product; `lanes` of its last vector are columns. */
typedef struct strip {
    float *c;
    const float *a, *b;
    int64_t ldc, a_row, a_column, ldb;
    int m, k, lanes;
    bool accumulate;
} strip;

/* `rows` x `vectors` accumulators stay in registers; these, `lanes` but in a last column, and
 * the dtype are constants after inlining. */
JUDO_INLINE void tile(const strip *s, float *c, const float *a, const int rows,
                      const int vectors, const int lanes, const judo_dtype dtype)
{
    judo_vector sums[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            sums[i][j] = s->accumulate
                             ? judo_vector_load(c + i * s->ldc + j * JUDO_LANES, lanes)
                             : judo_vector_all(0.0f);
        }
    }
    for (int p = 0; p < s->k; p++) {
        judo_vector right[TILE_VECTORS];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            right[j] = judo_vector_load(s->b + p * s->ldb + j * JUDO_LANES, lanes);
        }
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            judo_vector left = judo_vector_all(a[i * s->a_row + p * s->a_column]);
#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++) {
                sums[i][j] = dtype == JUDO_BF16
                                 ? judo_vector_dot_pairs(left, right[j], sums[i][j])
                                 : judo_vector_fma(left, right[j], sums[i][j]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            judo_vector_store(c + i * s->ldc + j * JUDO_LANES, sums[i][j], lanes);
        }
    }
}

#define TILE_CASE(rows, vectors, lanes, dtype)                                                 \
    case rows:                                                                                 \
        tile(s, c, a, rows, vectors, lanes, dtype);                                            \
        break

/* A strip of `vectors` * 16 columns of c, all rows, `most` together. */
#define DEFINE_STRIP(name, vectors, most, lanes, dtype)                                        \
    static void name(const strip *s)                                                           \
    {                                                                                          \
        float *c = s->c;                                                                       \
        const float *a = s->a;                                                                 \
        for (int m = s->m; m > 0; m -= (most)) {                                               \
            switch (m < (most) ? m : (most)) {                                                 \
                TILE_CASE(1, vectors, lanes, dtype);                                           \
                TILE_CASE(2, vectors, lanes, dtype);                                           \
                TILE_CASE(3, vectors, lanes, dtype);                                           \
                TILE_CASE(4, vectors, lanes, dtype);                                           \
                TILE_CASE(5, vectors, lanes, dtype);                                           \
            default:                                                                           \
                tile(s, c, a, most, vectors, lanes, dtype);                                    \
            }                                                                                  \
            c += (most)*s->ldc;                                                                \
            a += (most)*s->a_row;                                                              \
        }                                                                                      \
    }

#define DEFINE_STRIPS(dtype)                                                                   \
    DEFINE_STRIP(strip_##dtype##_0, 1, 6, s->lanes, dtype)                                     \
    DEFINE_STRIP(strip_##dtype##_1, 1, 6, JUDO_LANES, dtype)                                   \
    DEFINE_STRIP(strip_##dtype##_2, 2, 6, JUDO_LANES, dtype)                                   \
    DEFINE_STRIP(strip_##dtype##_3, 3, 6, JUDO_LANES, dtype)                                   \
    DEFINE_STRIP(strip_##dtype##_4, 4, 6, JUDO_LANES, dtype)                                   \
    DEFINE_STRIP(strip_##dtype##_5, 5, 5, JUDO_LANES, dtype)

DEFINE_STRIPS(JUDO_F32)
DEFINE_STRIPS(JUDO_BF16)

void judo_cpu_small_gemm(float *c, int64_t ldc, const float *a, int64_t a_row, int64_t a_column,
                         const float *b, int64_t ldb, int m, int n, int k, bool accumulate,
                         judo_dtype dtype)
{
    static void (*const strips[2][6])(const strip *) = {
        {strip_JUDO_F32_0, strip_JUDO_F32_1, strip_JUDO_F32_2, strip_JUDO_F32_3,
         strip_JUDO_F32_4, strip_JUDO_F32_5},
        {strip_JUDO_BF16_0, strip_JUDO_BF16_1, strip_JUDO_BF16_2, strip_JUDO_BF16_3,
         strip_JUDO_BF16_4, strip_JUDO_BF16_5},
    };
    strip s = {.c = c,
               .a = a,
               .b = b,
               .ldc = ldc,
               .a_row = a_row,
               .a_column = a_column,
               .ldb = ldb,
               .m = m,
               .k = k,
               .accumulate = accumulate};
    while (n > 0) {
        int left = n / JUDO_LANES;
        int vectors = left < TILE_VECTORS ? left : left == TILE_VECTORS ? 5 : 4;
        s.lanes = vectors > 0 ? JUDO_LANES : n;
        strips[dtype == JUDO_BF16][vectors](&s);
        int columns = vectors > 0 ? vectors * JUDO_LANES : n;
        s.c += columns;
        s.b += columns;
        n -= columns;
    }
}
