/* models/dtype_table.c: the types of a run, as lines for its user. */
#include "models/dtype_table.h"

#include "runtime/log.h"

void judo_dtype_table_log(judo_dtype compute, bool training)
{
    const char *type = judo_dtype_name(compute);
    JUDO_INFO(
        "dtypes     %-5s weights in use, activations and their gradients, keys and values",
        type);
    if (training) {
        JUDO_INFO("           F32   master weights, gradients of weights, AdamW's moments");
    }
    JUDO_INFO("           F32   sums, norm statistics, rotary angles, logits, losses");
}
