/* runtime/ops/packed_product_cpu.c: some rows times a matrix that is used many times, as in
 * decoding. oneDNN writes a copy of the matrix in another order for each product; here that
 * copy is made once. Every sum must have oneDNN's bits, so that a row does not depend on how
 * many others there are: the first product of each shape is done both ways, and where the bits
 * differ oneDNN keeps the shape. */
#include <stdlib.h>
#include <string.h>

#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_transpose.h"

/* A panel is 64 rows of the matrix, word by word: [words][64], the last one narrower. A word is
 * a float or two bf16. */
enum {
    PANEL = 64,
    TILE_ROWS = 6,
    MOST_ROWS = 128,
    SHAPES = 64,
    CONTROL = 16,
    MOST_LESSONS = 8
};

static int64_t words_of(judo_dtype dtype, int64_t k)
{
    return dtype == JUDO_BF16 ? k / 2 : k;
}

static int64_t padded(int64_t n)
{
    return (n + JUDO_LANES - 1) / JUDO_LANES * JUDO_LANES;
}

static int64_t panel_width(int64_t n, int64_t column)
{
    return padded(n) - column < PANEL ? padded(n) - column : PANEL;
}

int64_t judo_cpu_linear_packed_bytes(const judo_tensor *w)
{
#ifdef __AVX512F__
    bool fits = w->num_dims == 2 && w->dims[1] > 0 &&
                (w->dtype == JUDO_F32 ||
                 (w->dtype == JUDO_BF16 && w->dims[1] % 2 == 0 && judo_cpu_multiplies_bf16()));
    return fits ? padded(w->dims[0]) * words_of(w->dtype, w->dims[1]) * 4 : 0;
#else
    (void)w; /* too few registers to be faster */
    return 0;
#endif
}

/* Words [q, q + 16) of 16 rows, turned over; rows and words that are not there are 0. */
static void pack_block(float *out, int64_t width, const float *w, int64_t rows, int64_t words,
                       int64_t stride)
{
    judo_vector block[JUDO_LANES] = {{0}};
    for (int64_t i = 0; i < JUDO_LANES && i < rows; i++) {
        block[i] = judo_vector_load(w + i * stride, words);
    }
    judo_vector_transpose(block);
    for (int64_t q = 0; q < JUDO_LANES && q < words; q++) {
        judo_vector_store(out + q * width, block[q], JUDO_LANES);
    }
}

judo_status judo_cpu_linear_pack(void *packed, const judo_tensor *w)
{
    int64_t n = w->dims[0];
    int64_t words = words_of(w->dtype, w->dims[1]);
    if (judo_cpu_linear_packed_bytes(w) == 0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "linear_pack: this matrix cannot be packed");
    }
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(n *words))
    for (int64_t column = 0; column < n; column += PANEL) {
        int64_t width = panel_width(n, column);
        float *panel = (float *)packed + column * words;
        for (int64_t j = 0; j < width; j += JUDO_LANES) {
            const float *from = (const float *)w->data + (column + j) * words;
            for (int64_t q = 0; q < words; q += JUDO_LANES) {
                pack_block(panel + q * width + j, width, from + q, n - column - j, words - q,
                           words);
            }
        }
    }
    return JUDO_OK;
}

/* c[rows][columns of a panel] = totals (+ bias). */
static void put_rows(const judo_cpu_product *p, void *c, const float *totals, int64_t width,
                     int64_t column, int64_t first, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < width; j += JUDO_LANES) {
            int64_t left = p->n - column - j;
            judo_vector sum = judo_vector_load(totals + i * width + j, JUDO_LANES);
            if (p->bias) {
                sum += judo_vector_read(p->bias, p->dtype, column + j, left);
            }
            judo_vector_write(c, p->c_dtype, (first + i) * p->n + column + j, sum, left);
        }
    }
}

/* Chains of `count` words for `rows` rows (a constant after inlining) and the 64 columns of a
 * whole panel. Where the panel comes from memory, words to come are asked for early. */
JUDO_INLINE void add_chains(float *sums, const float *x, int64_t stride, const float *panel,
                            int64_t count, bool from_memory, const int rows,
                            const judo_dtype dtype)
{
    enum { VECTORS = PANEL / JUDO_LANES, WORDS_AHEAD = 24 };

    judo_vector chains[TILE_ROWS][VECTORS] = {{{0}}};
    for (int64_t q = 0; q < count; q++, panel += PANEL) {
        judo_vector right[VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) {
            right[j] = judo_vector_load(panel + j * JUDO_LANES, JUDO_LANES);
            if (from_memory) {
                __builtin_prefetch(panel + WORDS_AHEAD * PANEL + j * JUDO_LANES);
            }
        }
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            judo_vector left = judo_vector_all(x[i * stride + q]);
#pragma GCC unroll 4
            for (int j = 0; j < VECTORS; j++) {
                chains[i][j] = dtype == JUDO_BF16
                                   ? judo_vector_dot_pairs(left, right[j], chains[i][j])
                                   : judo_vector_fma(left, right[j], chains[i][j]);
            }
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < VECTORS; j++) {
            judo_vector_store(sums + i * PANEL + j * JUDO_LANES, chains[i][j], JUDO_LANES);
        }
    }
}

#define ROWS_CASE(number)                                                                      \
    case number:                                                                               \
        add_chains(sums, x, stride, panel, count, from_memory, number, dtype);                 \
        break

/* The same for any number of rows: the first tile fetches the panel, the others find it in the
 * second cache. */
JUDO_INLINE void add_whole_panel(float *sums, const float *x, int64_t stride,
                                 const float *panel, int64_t count, int64_t rows,
                                 const judo_dtype dtype)
{
    bool from_memory = true;
    for (; rows > 0; rows -= TILE_ROWS) {
        switch (rows) {
            ROWS_CASE(1);
            ROWS_CASE(2);
            ROWS_CASE(3);
            ROWS_CASE(4);
            ROWS_CASE(5);
        default:
            add_chains(sums, x, stride, panel, count, from_memory, TILE_ROWS, dtype);
        }
        sums += TILE_ROWS * PANEL;
        x += TILE_ROWS * stride;
        from_memory = false;
    }
}

/* sums[rows][width] = chains of `count` words. */
static void multiply_chains(float *sums, const float *x, int64_t stride, const float *panel,
                            int64_t count, int64_t rows, int64_t width, judo_dtype dtype)
{
    if (width < PANEL) {
        judo_cpu_small_gemm(sums, width, x, stride, 1, panel, width, (int)rows, (int)width,
                            (int)count, false, dtype);
        return;
    }
    JUDO_FOR_DTYPE(dtype, add_whole_panel, sums, x, stride, panel, count, rows);
}

/* Rows [first, first + rows) of a panel's columns: chains of `piece` words each, added up one
 * by one. */
static void multiply_panel(const judo_cpu_product *p, void *c, const float *panel,
                           int64_t column, int64_t piece, int64_t first, int64_t rows)
{
    int64_t words = words_of(p->dtype, p->k);
    int64_t width = panel_width(p->n, column);
    const float *x = (const float *)p->a + first * words;
    float totals[MOST_ROWS * PANEL];
    float sums[MOST_ROWS * PANEL];
    for (int64_t q = 0; q < words; q += piece) {
        int64_t count = words - q < piece ? words - q : piece;
        /* cppcheck-suppress legacyUninitvar ; they are written, not read */
        multiply_chains(q == 0 ? totals : sums, x + q, words, panel + q * width, count, rows,
                        width, p->dtype);
        for (int64_t i = 0; q > 0 && i < rows * width; i++) {
            totals[i] += sums[i];
        }
    }
    put_rows(p, c, totals, width, column, first, rows);
}

static void packed_product(const judo_cpu_product *p, const void *packed, void *c,
                           int64_t piece)
{
    int64_t words = words_of(p->dtype, p->k);
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(p->n *words))
    for (int64_t column = 0; column < p->n; column += PANEL) {
        const float *panel = (const float *)packed + column * words;
        for (int64_t first = 0; first < p->m; first += MOST_ROWS) {
            int64_t rows = p->m - first < MOST_ROWS ? p->m - first : MOST_ROWS;
            multiply_panel(p, c, panel, column, piece, first, rows);
        }
    }
}

typedef struct packed_shape {
    int64_t n, k;
    int64_t piece; /* words of a chain; 0: no length gives the bits */
    judo_dtype dtype, c_dtype;
    bool bias, known;
    int lessons;
} packed_shape;

/* Finds the length of oneDNN's chains: the only one that gives the bits of its fp32 sums. Where
 * plain numbers make several lengths agree it stays unknown. */
static judo_status find_piece(packed_shape *shape, const judo_cpu_product *p,
                              const void *packed, float *wanted, float *found)
{
    int64_t words = words_of(p->dtype, p->k);
    const int64_t pieces[] = {256, 512, 1024, words};
    size_t bytes = (size_t)(p->m * p->n) * sizeof(float);
    judo_cpu_product sums = *p;
    sums.c = wanted;
    sums.c_dtype = JUDO_F32;
    sums.bias = NULL;
    JUDO_TRY(judo_cpu_multiply(&sums));
    packed_product(&sums, packed, found, CONTROL);
    int matches = memcmp(found, wanted, bytes) == 0 ? 2 : 0;
    for (int i = 0; i < 4; i++) {
        int64_t piece = pieces[i] < words ? pieces[i] : words;
        packed_product(&sums, packed, found, piece);
        if (piece != shape->piece && memcmp(found, wanted, bytes) == 0) {
            matches++;
            shape->piece = piece;
        }
    }
    shape->known = matches < 2;
    return JUDO_OK;
}

/* Learns from a product that oneDNN has done; bias and rounding must agree, too. */
static judo_status learn(packed_shape *shape, const judo_cpu_product *p, const void *packed)
{
    size_t count = (size_t)(p->m * p->n);
    float *memory = malloc(2 * count * sizeof(float));
    if (!memory) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "matmul: no memory for %zu sums", 2 * count);
    }
    shape->piece = 0;
    judo_status status = find_piece(shape, p, packed, memory, memory + count);
    if (status == JUDO_OK && shape->known && shape->piece != 0) {
        packed_product(p, packed, memory, shape->piece);
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

/* What is known of a shape; NULL when too many were seen. */
static packed_shape *find_shape(const judo_cpu_product *p)
{
    static packed_shape shapes[SHAPES];
    packed_shape *shape = shapes;
    while (shape < shapes + SHAPES && shape->n != 0 &&
           (shape->n != p->n || shape->k != p->k || shape->dtype != p->dtype ||
            shape->c_dtype != p->c_dtype || shape->bias != (p->bias != NULL))) {
        shape++;
    }
    if (shape == shapes + SHAPES) {
        return NULL;
    }
    if (shape->n == 0) {
        *shape = (packed_shape){.n = p->n,
                                .k = p->k,
                                .dtype = p->dtype,
                                .c_dtype = p->c_dtype,
                                .bias = p->bias != NULL};
    }
    return shape;
}

judo_status judo_cpu_packed_product(const judo_cpu_product *p, const void *packed, bool *done)
{
    *done = false;
    packed_shape *shape = p->m > 0 && p->n > 0 && p->k > 0 ? find_shape(p) : NULL;
    if (!shape) {
        return JUDO_OK;
    }
    if (!shape->known) {
        JUDO_TRY(judo_cpu_multiply(p));
        *done = true;
        return learn(shape, p, packed);
    }
    if (shape->piece != 0) {
        packed_product(p, packed, p->c, shape->piece);
        *done = true;
    }
    return JUDO_OK;
}
