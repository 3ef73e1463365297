/* tests/guard/guard_module.c: the module's one symbol. */
#include "tests/guard/guard.h"

static const judo_device_host *program;

void guard_tell_program(void)
{
    program->fail("guard_module.c", 0, judo_error_message());
}

static judo_status allocate(void **out, int64_t bytes)
{
    judo_status status = guard_allocate(out, bytes);
    if (status != JUDO_OK) {
        guard_tell_program();
    }
    return status;
}

static judo_status allocate_pool(void **out, int64_t bytes)
{
    judo_status status = guard_allocate_pool(out, bytes);
    if (status != JUDO_OK) {
        guard_tell_program();
    }
    return status;
}

/* As cudaFree, which waits for whatever may still use the memory. */
static void release(void *memory)
{
    guard_run_all();
    guard_release(memory);
}

static judo_status open_guard(const judo_device_host *host, int index,
                              const judo_device **device)
{
    static judo_device guard = {
        .name = "cuda",
        .description = "guarded memory of the CPU, for tests",
        .separate = true,
        .memory = guard_memory,
        .allocate = allocate,
        .release = release,
        .allocate_pool = allocate_pool,
        .watch = guard_watch,
        .allocations = guard_allocations,
    };
    (void)index; /* each process has its own */
    program = host;
    guard.ops = guard_ops();
    guard_fill_queue_slots(&guard);
    *device = &guard;
    return JUDO_OK;
}

__attribute__((visibility("default"))) const judo_device_module judo_device_module_table = {
    .abi = JUDO_DEVICE_MODULE_ABI,
    .device_bytes = (int32_t)sizeof(judo_device),
    .ops_bytes = (int32_t)sizeof(judo_ops),
    .version = JUDO_VERSION,
    .open = open_guard,
};
