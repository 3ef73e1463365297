/* runtime/ops/cuda/module.cu: the one symbol that the module exports, and the way of its
 * failures to the program. */
#include "runtime/ops/cuda/cuda.h"

#include <stdio.h>
#include <stdlib.h>

extern "C" {
#include "runtime/ops/cuda/product_rows.h"
}

static const judo_device_host *program;

/* JUDO_FAIL inside the module. */
extern "C" void judo_fail_at(const char *source_file, int source_line, const char *format, ...)
{
    char message[JUDO_DEVICE_REASON];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (program) {
        program->fail(source_file, source_line, message);
    }
}

static judo_status open_device(const judo_device_host *host, int index,
                               const judo_device **device)
{
    static char description[640];
    char gpu[256];
    char attention[300] = "built without cuDNN";
    program = host;
    JUDO_TRY(
        judo_product_rows_mode(getenv(JUDO_PRODUCT_ROWS_VARIABLE), &judo_cuda.rows_invariant));
    JUDO_TRY(judo_cuda_start(index, gpu, sizeof gpu));
#ifdef JUDO_WITH_CUDNN
    JUDO_TRY(judo_cuda_attention_open(attention, sizeof attention));
#endif
    const judo_device *opened = judo_device_cuda(description);
    (void)snprintf(description, sizeof description, "%s, %s, %s%s", gpu,
                   opened->collectives ? opened->collectives->description
                                       : "built without NCCL",
                   attention, judo_cuda.rows_invariant ? ", rows invariant" : "");
    *device = opened;
    return JUDO_OK;
}

extern "C" __attribute__((visibility("default")))
const judo_device_module judo_device_module_table = {
    .abi = JUDO_DEVICE_MODULE_ABI,
    .device_bytes = (int32_t)sizeof(judo_device),
    .ops_bytes = (int32_t)sizeof(judo_ops),
    .version = JUDO_VERSION,
    .open = open_device,
};
