/* runtime/ops/cuda/product_rows.h: numbers of rows that share a matrix product's algorithm.
 * Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_PRODUCT_ROWS_H
#define JUDO_RUNTIME_OPS_CUDA_PRODUCT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/status.h"

/* What names the mode in the environment: JUDO_CUDA_ROWS=invariant. */
#define JUDO_PRODUCT_ROWS_VARIABLE "JUDO_CUDA_ROWS"

enum {
    JUDO_FEWEST_PRODUCT_ROWS = 16, /* what the narrowest tile of tensor cores computes anyway */
    JUDO_SPLIT_PRODUCT_ROWS = 256,
    JUDO_MOST_PRODUCT_ROWS = 4096,
};

/* How a product of some rows, whose sums run over k alone, is computed. */
typedef struct judo_product_rows {
    int64_t rows; /* its algorithm is the one for so many */
    bool split;   /* sums may be cut: a few rows alone do not keep a GPU busy */
} judo_product_rows;

/* `invariant`: the same for every number of rows, so that the bits of a row do not depend on
 * how many others there are; what few rows cost then is time. Else the next power of two. */
judo_product_rows judo_product_rows_of(int64_t rows, bool invariant);

/* What the value of the variable says (NULL: unset); JUDO_ERROR_ARGUMENT for an unknown one. */
judo_status judo_product_rows_mode(const char *value, bool *invariant) JUDO_MUST_CHECK;

#endif
