/* runtime/ops/product_cpu.c: matrix products of any size and dtype, put together from calls of
 * oneDNN; without fast bf16 they are multiplied in fp32, panel by panel. */
#include "runtime/ops/cpu.h"
#include "runtime/ops/vector_math.h"

/* A product over nothing is zero. */
static void fill_without_terms(const judo_cpu_product *p)
{
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j += JUDO_LANES) {
            judo_vector v = p->bias ? judo_vector_read(p->bias, p->dtype, j, p->n - j)
                                    : judo_vector_all(0.0f);
            judo_vector_write(p->c, p->c_dtype, i * p->n + j, v, p->n - j);
        }
    }
}

/* Making a primitive takes as long as about 100 megaflops, and the number of tokens is new in
 * every batch: products of moderate size are put together from pieces whose lengths recur. */
static const int64_t lengths[] = {512, 384, 256, 192, 128, 96, 64, 48, 32, 16, 8, 4, 2, 1};

enum { NUM_LENGTHS = sizeof lengths / sizeof *lengths, WHOLE_UP_TO = 64 };

static const double whole_from_flops = 4e9;

/* The next piece of `left` out of `extent` steps. Where steps may be computed twice, one that
 * reaches back over some that are done, rather than several small ones. */
static int64_t piece_length(int64_t left, int64_t extent, bool may_overlap)
{
    int i = 0;
    while (lengths[i] > left) {
        i++;
    }
    bool reaches = may_overlap && i > 0 && lengths[i] < left && lengths[i - 1] <= extent;
    return reaches ? lengths[i - 1] : lengths[i];
}

static judo_status multiply_by_pieces(const judo_cpu_product *p)
{
    bool by_rows = !p->transpose_a;
    bool by_terms = p->transpose_a && !p->transpose_b && p->accumulate && !p->bias;
    int64_t extent = by_rows ? p->m : p->k;
    if (!(by_rows || by_terms) || extent <= WHOLE_UP_TO ||
        2.0 * (double)p->m * (double)p->n * (double)p->k >= whole_from_flops) {
        return judo_cpu_multiply(p);
    }
    for (int64_t done = 0; done < extent;) {
        int64_t length = piece_length(extent - done, extent, by_rows && !p->accumulate);
        int64_t first = length > extent - done ? extent - length : done;
        judo_cpu_product piece = *p;
        if (by_rows) {
            piece.c = judo_cpu_to(p->c, p->c_dtype, first * p->n);
            piece.a = judo_cpu_at(p->a, p->dtype, first * p->k);
            piece.m = length;
        } else {
            piece.a = judo_cpu_at(p->a, p->dtype, first * p->m);
            piece.b = judo_cpu_at(p->b, p->dtype, first * p->n);
            piece.k = length;
        }
        JUDO_TRY(judo_cpu_multiply(&piece));
        done = first + length;
    }
    return JUDO_OK;
}

/* out[rows, columns] = in, bf16 whose rows are `stride` apart. */
static void widen(float *out, const uint16_t *in, int64_t stride, int64_t rows, int64_t columns)
{
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(rows *columns))
    for (int64_t i = 0; i < rows; i++) {
        judo_vector_convert(out + i * columns, JUDO_F32, in + i * stride, JUDO_BF16, columns);
    }
}

/* Rows or columns [first, first + count) of op(x), an operand with `extent` of them and k
 * terms, as dense fp32 in the same order. */
static void widen_operand(float *out, const uint16_t *x, bool terms_last, int64_t extent,
                          int64_t first, int64_t count, int64_t k)
{
    if (terms_last) {
        widen(out, x + first * k, k, count, k);
    } else {
        widen(out, x + first, extent, k, count);
    }
}

/* c = or += sums, for `rows` x `columns` of c from row `i` and column `j`. */
static void put_block(const judo_cpu_product *p, const float *sums, int64_t i, int64_t j,
                      int64_t rows, int64_t columns)
{
#pragma omp parallel for schedule(static) num_threads(judo_cpu_threads_for(rows *columns))
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t column = 0; column < columns; column += JUDO_LANES) {
            int64_t at = (i + row) * p->n + j + column;
            int64_t left = columns - column;
            judo_vector v = judo_vector_load(sums + row * columns + column, left);
            if (p->accumulate) {
                v += judo_vector_read(p->c, p->c_dtype, at, left);
            }
            judo_vector_write(p->c, p->c_dtype, at, v, left);
        }
    }
}

static judo_status multiply_in_fp32(const judo_cpu_product *p)
{
    enum { PANEL = 512 };

    int64_t most_rows = p->m < PANEL ? p->m : PANEL;
    int64_t most_columns = p->n < PANEL ? p->n : PANEL;
    int64_t floats = (most_rows + most_columns) * p->k + (most_rows + 1) * most_columns;
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, JUDO_SCRATCH_PRODUCT, floats * (int64_t)sizeof(float)));
    float *a = memory;
    float *b = a + most_rows * p->k;
    float *c = b + most_columns * p->k;
    float *bias = c + most_rows * most_columns;
    for (int64_t j = 0; j < p->n; j += PANEL) {
        int64_t columns = p->n - j < PANEL ? p->n - j : PANEL;
        widen_operand(b, p->b, p->transpose_b, p->n, j, columns, p->k);
        if (p->bias) {
            widen(bias, (const uint16_t *)p->bias + j, 0, 1, columns);
        }
        for (int64_t i = 0; i < p->m; i += PANEL) {
            int64_t rows = p->m - i < PANEL ? p->m - i : PANEL;
            widen_operand(a, p->a, !p->transpose_a, p->m, i, rows, p->k);
            judo_cpu_product block = {.c = c,
                                      .a = a,
                                      .b = b,
                                      .bias = p->bias ? bias : NULL,
                                      .m = rows,
                                      .n = columns,
                                      .k = p->k,
                                      .transpose_a = p->transpose_a,
                                      .transpose_b = p->transpose_b};
            JUDO_TRY(multiply_by_pieces(&block));
            put_block(p, c, i, j, rows, columns);
        }
    }
    return JUDO_OK;
}

judo_status judo_cpu_matmul(const judo_cpu_product *product)
{
    if (product->m == 0 || product->n == 0 || (product->k == 0 && product->accumulate)) {
        return JUDO_OK;
    }
    if (product->k == 0) {
        fill_without_terms(product);
        return JUDO_OK;
    }
    if (product->dtype == JUDO_BF16 && !judo_cpu_multiplies_bf16()) {
        return multiply_in_fp32(product);
    }
    return multiply_by_pieces(product);
}
