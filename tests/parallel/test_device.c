/* tests/parallel/test_device.c: opens the device once; copies that end when they return. */
#include "tests/parallel/test_device.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/parallel/fake_device.h"

static void must(judo_status status)
{
    if (status != JUDO_OK) {
        (void)fprintf(stderr, "test device: %s\n", judo_error_message());
        abort();
    }
}

const judo_device *test_device(void)
{
    static const judo_device *device;
    const char *module = getenv("JUDO_DEVICE_MODULE");
    const char *rank =
        getenv("JUDO_TEST_GPU_PER_RANK") ? getenv("OMPI_COMM_WORLD_LOCAL_RANK") : NULL;
    const judo_device_request request = {.choice = module ? JUDO_DEVICE_CUDA : JUDO_DEVICE_CPU,
                                         .index = rank ? (int)strtol(rank, NULL, 10) : 0,
                                         .module = module};
    if (!device && getenv("JUDO_TEST_FAKE_DEVICE")) {
        device = fake_device();
    } else if (!device) {
        must(judo_device_open(&request, &device, NULL));
    }
    return device;
}

void test_device_write(void *to, const void *content, int64_t bytes)
{
    must(test_device()->copy(to, content, bytes, NULL));
    must(test_device()->stream_finish(NULL));
}

void *test_device_put(const void *content, int64_t bytes)
{
    void *memory = NULL;
    must(test_device()->allocate(&memory, bytes));
    test_device_write(memory, content, bytes);
    return memory;
}

judo_status test_device_read(const void *memory, int64_t bytes, void **out)
{
    *out = malloc((size_t)bytes + 1);
    if (*out == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %lld bytes of a device",
                         (long long)bytes);
    }
    JUDO_TRY(test_device()->copy(*out, memory, bytes, NULL));
    return test_device()->stream_finish(NULL);
}

void *test_device_get(const void *memory, int64_t bytes)
{
    void *content;
    must(test_device_read(memory, bytes, &content));
    return content;
}
