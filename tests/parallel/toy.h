/* tests/parallel/toy.h: a small "model" with odd sizes, a tied unit, frozen parts, and a loss
 * whose gradient is known, trained through the params contract on the test's device; and the
 * same in plain loops. */
#ifndef JUDO_TESTS_PARALLEL_TOY_H
#define JUDO_TESTS_PARALLEL_TOY_H

#include "parallel/zero3.h"
#include "tests/parallel/test_device.h"

enum { TOY_EMBED, TOY_BLOCK_A, TOY_FROZEN, TOY_BLOCK_B, TOY_HEAD_NORM, TOY_UNITS };

/* `scale` multiplies the larger dimensions. */
judo_status toy_layout_create(int scale, judo_param_layout *out) JUDO_MUST_CHECK;
void toy_layout_destroy(judo_param_layout *layout);

/* The initial weights: a function of parameter and element. */
float toy_initial(int param, int64_t element);
/* A value as it is after a stay in `dtype`. */
float toy_rounded(float value, judo_dtype dtype);
judo_weight_source toy_source(const judo_param_layout *layout);

enum { TOY_SAMPLES = 12 }; /* of one step, shared out to the ranks round robin */

/* One forward and backward over this rank's samples of `step`: acquires the units in order with
 * the next one named, forward and back, the tied unit beside the head's norm. Adds the rank's
 * part of the loss to *loss. Collective. */
judo_status toy_run(judo_params *params, int rank, int size, int64_t step,
                    double *loss) JUDO_MUST_CHECK;

/* One optimizer step as a training loop does it: zero, run, clip and update. *loss is the sum
 * over ranks. Collective. */
judo_status toy_train_step(judo_comm *comm, judo_zero3 *zero3, int64_t step,
                           double *loss) JUDO_MUST_CHECK;

/* The same on whole arrays without any of judo's parallel code. */
typedef struct toy_reference {
    const judo_param_layout *layout;
    judo_dtype compute_dtype;
    /* Units back to back; `seen` is what the loss sees of the weights. */
    float *weights, *seen, *gradient, *first_moment, *second_moment;
} toy_reference;

judo_status toy_reference_create(const judo_param_layout *layout, judo_dtype compute_dtype,
                                 toy_reference *out) JUDO_MUST_CHECK;
void toy_reference_destroy(toy_reference *reference);
judo_status toy_reference_step(toy_reference *reference, int64_t step,
                               double *loss) JUDO_MUST_CHECK;
/* First element of a parameter in the reference's arrays. */
int64_t toy_reference_offset(const toy_reference *reference, int param);

judo_adamw toy_adamw(int64_t step);
extern const double toy_max_norm;

#endif
