/* tests/parity/filter/pass.h: a model directory opened for training, with its samples. */
#ifndef JUDO_TESTS_PARITY_FILTER_PASS_H
#define JUDO_TESTS_PARITY_FILTER_PASS_H

#include "models/checkpoint_directory.h"
#include "models/qwen25vl.h"
#include "tests/parity/filter/samples.h"

typedef struct judo_parity_pass {
    judo_qwen_config config;
    judo_parity_samples samples;
    judo_image_processor processor;
    judo_batch_builder *builder;
    judo_model *model;
} judo_parity_pass;

/* The device that JUDO_PARITY_DEVICE names, opened once; the CPU where it is unset. */
judo_status judo_parity_device(const judo_device **out) JUDO_MUST_CHECK;

/* Opens `folder` and the samples of `input`; activations are planned for all samples in one
 * batch, in `dtype`. `checkpoint` recomputes activations. After a failure it can still be
 * closed. */
judo_status judo_parity_pass_open_in(const char *folder, const char *input, bool checkpoint,
                                     judo_dtype dtype, judo_parity_pass *out) JUDO_MUST_CHECK;
/* The same in fp32. */
judo_status judo_parity_pass_open(const char *folder, const char *input, bool checkpoint,
                                  judo_parity_pass *out) JUDO_MUST_CHECK;
void judo_parity_pass_close(judo_parity_pass *pass);

#endif
