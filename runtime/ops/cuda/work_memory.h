/* runtime/ops/cuda/work_memory.h: the bytes that the CUDA ops take for themselves, from the
 * sizes of what they will be asked. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_WORK_MEMORY_H
#define JUDO_RUNTIME_OPS_CUDA_WORK_MEMORY_H

#include "runtime/device.h"

enum { JUDO_PRODUCT_WORKSPACE = 32 << 20 };

typedef struct judo_work_bytes {
    int64_t op;      /* of any one slot */
    int64_t product; /* of any matrix product, also inside a slot */
    int64_t lists;   /* indices, spans, targets on their way to the device */
} judo_work_bytes;

judo_work_bytes judo_work_bytes_of(const judo_device_work *most);

#endif
