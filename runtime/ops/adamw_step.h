/* runtime/ops/adamw_step.h: the numbers of one AdamW update, the same for every backend. */
#ifndef JUDO_RUNTIME_OPS_ADAMW_STEP_H
#define JUDO_RUNTIME_OPS_ADAMW_STEP_H

#include <math.h>

#include "runtime/ops/adamw.h"

/* The numbers of one step, in fp32 as torch's kernels take them. */
typedef struct judo_adamw_step {
    float scale, mix1, keep2, mix2, root2, epsilon, decay, step_size;
} judo_adamw_step;

/* What weights without decay are multiplied by in the place of `decay`. */
#define JUDO_ADAMW_NO_DECAY 1.0f

/* Scalars in fp64, as in torch.optim.AdamW's single-tensor form. */
static inline judo_adamw_step judo_adamw_step_of(const judo_adamw *options)
{
    double correction1 = 1.0 - pow(options->beta1, (double)options->step);
    double correction2 = 1.0 - pow(options->beta2, (double)options->step);
    judo_adamw_step step;
    step.scale = options->gradient_scale;
    step.mix1 = (float)(1.0 - options->beta1);
    step.keep2 = (float)options->beta2;
    step.mix2 = (float)(1.0 - options->beta2);
    step.root2 = (float)sqrt(correction2);
    step.epsilon = (float)options->epsilon;
    step.decay = (float)(1.0 - options->learning_rate * options->weight_decay);
    step.step_size = (float)(options->learning_rate / correction1);
    return step;
}

#endif
