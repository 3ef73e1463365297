/* models/dtype_table.c: the types of a run, as lines for its user. */
#include "models/dtype_table.h"

#include "runtime/log.h"

static void log_weights(judo_dtype compute)
{
    JUDO_INFO(
        "dtypes     %-5s weights in use, activations and their gradients, keys and values",
        judo_dtype_name(compute));
}

static void log_sums(void)
{
    JUDO_INFO("           F32   sums, norm statistics, rotary angles, logits, losses");
}

void judo_dtype_table_log(judo_dtype compute)
{
    log_weights(compute);
    log_sums();
}

void judo_dtype_table_log_training(judo_dtype compute, judo_dtype gradients)
{
    log_weights(compute);
    if (gradients == JUDO_F32) {
        JUDO_INFO("           F32   master weights, gradients of weights, AdamW's moments");
    } else {
        JUDO_INFO("           F32   master weights, a pass's gradients of weights, AdamW's "
                  "moments");
        JUDO_INFO("           %-5s gradients of weights, summed over passes",
                  judo_dtype_name(gradients));
    }
    log_sums();
}
