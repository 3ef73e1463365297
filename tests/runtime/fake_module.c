/* tests/runtime/fake_module.c: device modules that are wrong in one way each, by FAKE. */
#include "runtime/device_module.h"

#define FAKE_WORKING 0
#define FAKE_ABI     1
#define FAKE_SIZE    2
#define FAKE_VERSION 3
#define FAKE_INIT    4
#define FAKE_SLOT    5
#define FAKE_SYMBOL  6

#if FAKE == FAKE_SYMBOL
int judo_fake_of_something_else(void);

int judo_fake_of_something_else(void)
{
    return 1;
}
#else

static judo_status memory(int64_t *available, int64_t *total)
{
    *available = 1;
    *total = 2;
    return JUDO_OK;
}

#if FAKE == FAKE_INIT
static judo_status open_fake(const judo_device_host *host, int index,
                             const judo_device **device)
{
    (void)memory;
    (void)index;
    (void)device;
    host->fail("fake_module.c", 1, "cuda: no GPU answers (fake)");
    return JUDO_ERROR_UNSUPPORTED;
}
#else
/* The slots are only looked at, but for `memory`. */
static judo_status open_fake(const judo_device_host *host, int index,
                             const judo_device **device)
{
    static judo_device fake;
    static judo_ops ops;
    (void)host;
    for (size_t i = 0; i < sizeof ops / sizeof(void *); i++) {
        ((void **)&ops)[i] = (void *)&fake;
    }
    for (size_t i = 0; i < sizeof fake / sizeof(void *); i++) {
        ((void **)&fake)[i] = (void *)&fake;
    }
    fake.name = "cuda";
    fake.description = index == 3 ? "the fake with number 3" : "a fake";
    fake.ops = &ops;
    ops.name = "cuda";
    fake.memory = memory;
#if FAKE == FAKE_SLOT
    ops.split_heads = NULL;
#endif
    *device = &fake;
    return JUDO_OK;
}
#endif

__attribute__((visibility("default"))) const judo_device_module judo_device_module_table = {
    .abi = JUDO_DEVICE_MODULE_ABI + (FAKE == FAKE_ABI),
    .device_bytes = (int32_t)sizeof(judo_device) + (FAKE == FAKE_SIZE),
    .ops_bytes = (int32_t)sizeof(judo_ops),
    .version = FAKE == FAKE_VERSION ? "0.0.0" : JUDO_VERSION,
    .open = open_fake,
};
#endif
