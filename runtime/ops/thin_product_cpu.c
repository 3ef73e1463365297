/* runtime/ops/thin_product_cpu.c: a few rows times a large matrix, as in decoding. The matrix
 * goes through the registers once, where oneDNN first writes a copy of it in another order:
 * 1.1 to 1.25 times as fast where the matrix comes from memory. Every sum must have oneDNN's
 * bits, so that a row does not depend on how many others there are: the first product of each
 * shape is done both ways, and where the bits differ oneDNN keeps the shape. */
#include <stdlib.h>
#include <string.h>

#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_transpose.h"

enum { MOST_ROWS = 8, PANEL = 128, SHAPES = 64, CONTROL = 16, MOST_LESSONS = 8 };

/* What the second cache holds is not slower in oneDNN. */
static const int64_t least_bytes = INT64_C(1) << 20;

/* `rows` chains of sums over `count` words of a panel; both constants after inlining. */
JUDO_INLINE void add_terms(judo_vector *sums, const float *x, int64_t stride,
                           const judo_vector *panel, int64_t count, judo_dtype dtype,
                           const int rows)
{
    judo_vector chains[MOST_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        chains[i] = sums[i];
    }
    for (int64_t q = 0; q < count; q++) {
        judo_vector w = panel[q];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            judo_vector terms = judo_vector_all(x[i * stride + q]);
            chains[i] = dtype == JUDO_BF16 ? judo_vector_dot_pairs(terms, w, chains[i])
                                           : judo_vector_fma(terms, w, chains[i]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        sums[i] = chains[i];
    }
}

#define ROWS_CASE(rows)                                                                        \
    case rows:                                                                                 \
        add_terms(sums, x, stride, panel, count, dtype, rows);                                 \
        break

JUDO_INLINE void add_panel(judo_vector *sums, int64_t m, const float *x, int64_t stride,
                           const judo_vector *panel, int64_t count, judo_dtype dtype)
{
    switch (m) {
        ROWS_CASE(1);
        ROWS_CASE(2);
        ROWS_CASE(3);
        ROWS_CASE(4);
        ROWS_CASE(5);
        ROWS_CASE(6);
        ROWS_CASE(7);
    default:
        add_terms(sums, x, stride, panel, count, dtype, MOST_ROWS);
    }
}

/* `count` words of 16 rows, a multiple of 16, turned over. The same words of the next 16 rows
 * are asked for: there are always as many bytes behind, but for the last rows. */
JUDO_INLINE void fill_panel(judo_vector *panel, const float *w, int64_t stride, int64_t count)
{
    for (int64_t q = 0; q < count; q += JUDO_LANES) {
        judo_vector block[JUDO_LANES];
#pragma GCC unroll 16
        for (int i = 0; i < JUDO_LANES; i++) {
            block[i] = judo_vector_load(w + i * stride + q, JUDO_LANES);
            __builtin_prefetch(w + (i + JUDO_LANES) * stride + q);
        }
        judo_vector_transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < JUDO_LANES; i++) {
            panel[q + i] = block[i];
        }
    }
}

/* Columns [column, column + 16) of c: chains of `piece` words each, added up one by one. */
JUDO_INLINE void thin_columns(const judo_cpu_product *p, void *c, int64_t column, int64_t piece,
                              judo_dtype dtype)
{
    int64_t words = dtype == JUDO_BF16 ? p->k / 2 : p->k;
    const float *x = p->a;
    const float *w = (const float *)p->b + column * words;
    judo_vector panel[PANEL];
    judo_vector totals[MOST_ROWS] = {{0}};
    for (int64_t begin = 0; begin < words; begin += piece) {
        int64_t end = begin + piece < words ? begin + piece : words;
        judo_vector sums[MOST_ROWS] = {{0}};
        for (int64_t q = begin; q < end; q += PANEL) {
            int64_t count = end - q < PANEL ? end - q : PANEL;
            fill_panel(panel, w + q, words, count);
            add_panel(sums, p->m, x + q, words, panel, count, dtype);
        }
        for (int64_t i = 0; i < p->m; i++) {
            totals[i] = begin == 0 ? sums[i] : totals[i] + sums[i];
        }
    }
    for (int64_t i = 0; i < p->m; i++) {
        judo_vector bias = p->bias ? judo_vector_read(p->bias, dtype, column, JUDO_LANES)
                                   : judo_vector_all(0.0f);
        judo_vector sum = p->bias ? totals[i] + bias : totals[i];
        judo_vector_write(c, p->c_dtype, i * p->n + column, sum, JUDO_LANES);
    }
}

static void thin_product(const judo_cpu_product *p, void *c, int64_t piece)
{
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(p->n * p->k))
    for (int64_t column = 0; column < p->n; column += JUDO_LANES) {
        JUDO_FOR_DTYPE(p->dtype, thin_columns, p, c, column, piece);
    }
}

static bool is_thin(const judo_cpu_product *p)
{
#if defined(__AVX512F__) && defined(__AVX512BF16__)
    int64_t bytes = p->dtype == JUDO_BF16 ? 2 : 4;
    return p->m <= MOST_ROWS && p->transpose_b && !p->transpose_a && !p->accumulate &&
           p->n % JUDO_LANES == 0 && p->k * bytes % (JUDO_LANES * 4) == 0 &&
           p->n * p->k * bytes >= least_bytes;
#else
    (void)p; /* too few registers */
    return false;
#endif
}

typedef struct thin_shape {
    int64_t n, k;
    int64_t piece; /* words of a chain; 0: no length gives the bits */
    judo_dtype dtype, c_dtype;
    bool bias, known;
    int lessons;
} thin_shape;

/* Finds the length of oneDNN's chains: the only one that gives the bits of its fp32 sums. Where
 * plain numbers make several lengths agree it stays unknown. */
static judo_status find_piece(thin_shape *shape, const judo_cpu_product *p, float *wanted,
                              float *found)
{
    int64_t words = p->dtype == JUDO_BF16 ? p->k / 2 : p->k;
    const int64_t pieces[] = {256, 512, 1024, words};
    size_t bytes = (size_t)(p->m * p->n) * sizeof(float);
    judo_cpu_product sums = *p;
    sums.c = wanted;
    sums.c_dtype = JUDO_F32;
    sums.bias = NULL;
    JUDO_TRY(judo_cpu_multiply(&sums));
    thin_product(&sums, found, CONTROL);
    int matches = memcmp(found, wanted, bytes) == 0 ? 2 : 0;
    for (int i = 0; i < 4; i++) {
        int64_t piece = pieces[i] < words ? pieces[i] : words;
        thin_product(&sums, found, piece);
        if (piece != shape->piece && memcmp(found, wanted, bytes) == 0) {
            matches++;
            shape->piece = piece;
        }
    }
    shape->known = matches < 2;
    return JUDO_OK;
}

/* Learns from a product that oneDNN has done; bias and rounding must agree, too. */
static judo_status learn(thin_shape *shape, const judo_cpu_product *p)
{
    size_t count = (size_t)(p->m * p->n);
    float *memory = malloc(2 * count * sizeof(float));
    if (!memory) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "matmul: no memory for %zu sums", 2 * count);
    }
    shape->piece = 0;
    judo_status status = find_piece(shape, p, memory, memory + count);
    if (status == JUDO_OK && shape->known && shape->piece != 0) {
        thin_product(p, memory, shape->piece);
        if (memcmp(memory, p->c, count * (p->c_dtype == JUDO_BF16 ? 2 : 4)) != 0) {
            shape->piece = 0;
        }
    }
    if (++shape->lessons == MOST_LESSONS && !shape->known) {
        shape->known = true;
        shape->piece = 0;
    }
    free(memory);
    return status;
}

judo_status judo_cpu_thin_product(const judo_cpu_product *p, bool *done)
{
    static thin_shape shapes[SHAPES];
    *done = false;
    if (!is_thin(p)) {
        return JUDO_OK;
    }
    thin_shape wanted = {.n = p->n,
                         .k = p->k,
                         .dtype = p->dtype,
                         .c_dtype = p->c_dtype,
                         .bias = p->bias != NULL};
    thin_shape *shape = shapes;
    while (shape < shapes + SHAPES && shape->n != 0 &&
           (shape->n != wanted.n || shape->k != wanted.k || shape->dtype != wanted.dtype ||
            shape->c_dtype != wanted.c_dtype || shape->bias != wanted.bias)) {
        shape++;
    }
    if (shape == shapes + SHAPES) {
        return JUDO_OK;
    }
    if (shape->n == 0) {
        *shape = wanted;
    }
    if (!shape->known) {
        JUDO_TRY(judo_cpu_multiply(p));
        *done = true;
        return learn(shape, p);
    }
    if (shape->piece != 0) {
        thin_product(p, p->c, shape->piece);
        *done = true;
    }
    return JUDO_OK;
}
