/* runtime/ops/adamw.h: what an AdamW update is asked for. */
#ifndef JUDO_RUNTIME_OPS_ADAMW_H
#define JUDO_RUNTIME_OPS_ADAMW_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/tensor.h"

/* AdamW (Loshchilov and Hutter 2019, decoupled decay, bias-corrected as in torch.optim.AdamW).
 */
typedef struct judo_adamw {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    int64_t step;         /* 1 for the first update */
    float gradient_scale; /* gradients are multiplied by it first (clipping) */
} judo_adamw;

/* What n weights are updated from and in. They are kept in fp32, or each as the two halves of
 * an fp32 number (split_weight.h): the weights that come out have the same bits. */
typedef struct judo_adamw_arrays {
    float *weights; /* NULL: kept as halves */
    uint16_t *bf16; /* receives the new weights rounded to bf16, or NULL; of weights kept as
                       halves the upper one, a bf16 number to compute with */
    uint16_t *low;  /* the lower half; NULL unless kept as halves */
    float *first_moment, *second_moment;
    const void *gradient;
    judo_dtype gradient_dtype; /* F32 or BF16 */
    int64_t n;
} judo_adamw_arrays;

/* Elements [begin, end) of the arrays. */
typedef struct judo_adamw_segment {
    int64_t begin, end;
    bool decay; /* whether weight_decay is taken from these weights */
} judo_adamw_segment;

#endif
