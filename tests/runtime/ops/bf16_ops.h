/* tests/runtime/ops/bf16_ops.h: the CPU backend in bf16 behind fp32 tensors, so that the
 * conformance tests run in bf16 as they stand. */
#ifndef JUDO_TESTS_RUNTIME_OPS_BF16_OPS_H
#define JUDO_TESTS_RUNTIME_OPS_BF16_OPS_H

#include "runtime/ops/ops.h"

/* Every slot copies the fp32 tensors that share the model's dtype to BF16, calls the CPU
 * backend on the copies and widens the outputs. Tensors that are one in memory stay one. */
const judo_ops *bf16_ops(void);

#endif
