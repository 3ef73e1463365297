/* tests/runtime/ops/boxed_ops.h: any backend behind fp32 tensors on the host, so that the
 * conformance tests run on it, in fp32 or in bf16, as they stand. */
#ifndef JUDO_TESTS_RUNTIME_OPS_BOXED_OPS_H
#define JUDO_TESTS_RUNTIME_OPS_BOXED_OPS_H

#include "runtime/device.h"

/* Every slot copies its tensors to the device's memory, the fp32 ones that share the model's
 * dtype as BF16 if `bf16`, calls the device's slot on the copies and brings the outputs back.
 * Tensors that are one in memory stay one. */
const judo_ops *boxed_ops(const judo_device *device, bool bf16);

/* The ops in boxes of the GPU, or of the module that JUDO_DEVICE_MODULE names (which must
 * work); NULL, after a line that says why, where there is no GPU. */
const judo_ops *boxed_cuda_ops(bool bf16);

#endif
