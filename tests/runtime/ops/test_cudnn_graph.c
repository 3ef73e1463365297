/* tests/runtime/ops/test_cudnn_graph.c: cuDNN takes the graphs of attention and compiles their
 * kernels for GPUs that are only described to it. The driver here is CUDA's stub, so that the
 * last step, loading the kernel, is the one that fails: nothing is run. */
#include "tests/runtime/ops/support.h"

#include <stdio.h>
#include <string.h>

#include "runtime/ops/cuda/cudnn_attention.h"

enum { JSON = 1024 };

/* cuDNN's own words for what a plan is made for; %d: 100 times the compute capability. */
static const char *const gpu =
    "{\"regsPerBlock\": 65536, \"multiProcessorCount\": 132, \"warpSize\": 32, "
    "\"maxSharedMemoryPerBlock\": 49152, \"maxSharedMemoryPerBlockOptin\": 232448, "
    "\"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, "
    "\"maxCtasPerSM\": 32, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": 2048, "
    "\"pciDeviceId\": 0, \"isTccDriver\": 0, \"supportCoopLaunch\": 1, "
    "\"totalGlobalMem\": 150754820096, \"smClockRateKHz\": 1980000, "
    "\"memClockRateKHz\": 3201000, \"l2CacheSize\": 62914560, \"cudaDeviceId\": 0, "
    "\"deviceVer\": %d, \"driverVer\": 13000, \"deviceName\": \"described\", "
    "\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64]}";

/* Whether cuDNN gets as far as the driver with a shape. */
static bool reaches_driver(judo_cudnn_shape shape, int capability)
{
    char json[JSON];
    char reason[JUDO_CUDNN_REASON] = "";
    (void)snprintf(json, sizeof json, gpu, capability);
    judo_cudnn_plan *plan = judo_cudnn_plan_create(&shape, INT64_MAX / 2, json, reason);
    bool built = plan != NULL;
    judo_cudnn_plan_destroy(plan);
    if (strstr(reason, "not found") || strstr(reason, "is older than")) {
        skip();
    }
    if (!built) {
        print_message("capability %d, %s: %s\n", capability,
                      shape.backward ? "backward" : "forward", reason);
    }
    return built || strstr(reason, "EXECUTION_FAILED_CUDA_DRIVER");
}

static const judo_cudnn_shape windows = {
    .batch = 16, .length = 64, .query_heads = 16, .key_heads = 16, .dim = 80};

static void test_graph__of_forward_is_compiled(void **state)
{
    (void)state;
    assert_true(reaches_driver(windows, 900));
}

static void test_graph__of_backward_is_compiled(void **state)
{
    (void)state;
    judo_cudnn_shape shape = windows;
    shape.backward = true;
    assert_true(reaches_driver(shape, 900));
}

static void test_graph__of_grouped_heads_is_compiled(void **state)
{
    (void)state;
    judo_cudnn_shape shape = windows;
    shape.key_heads = 4;
    shape.backward = true;
    assert_true(reaches_driver(shape, 900));
}

static void test_graph__of_a_dimension_without_kernels_is_declined(void **state)
{
    (void)state;
    judo_cudnn_shape shape = windows;
    shape.dim = 84;
    assert_false(reaches_driver(shape, 900));
    shape.backward = true;
    assert_false(reaches_driver(shape, 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph__of_forward_is_compiled),
        cmocka_unit_test(test_graph__of_backward_is_compiled),
        cmocka_unit_test(test_graph__of_grouped_heads_is_compiled),
        cmocka_unit_test(test_graph__of_a_dimension_without_kernels_is_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
