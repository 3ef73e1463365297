/* runtime/ops/cuda/product_rows.c: see product_rows.h. */
#include "runtime/ops/cuda/product_rows.h"

#include <string.h>

judo_product_rows judo_product_rows_of(int64_t rows, bool invariant)
{
    judo_product_rows out = {JUDO_FEWEST_PRODUCT_ROWS, false};
    while (out.rows < JUDO_MOST_PRODUCT_ROWS && (invariant || out.rows < rows)) {
        out.rows *= 2;
    }
    out.split = out.rows <= JUDO_SPLIT_PRODUCT_ROWS;
    return out;
}

judo_status judo_product_rows_mode(const char *value, bool *invariant)
{
    bool named = value && value[0];
    if (named && strcmp(value, "invariant") != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%s is \"%s\"; it may be \"invariant\" (a row's bits do not depend on "
                         "the number of rows), or unset",
                         JUDO_PRODUCT_ROWS_VARIABLE, value);
    }
    *invariant = named;
    return JUDO_OK;
}
