/* tests/runtime/ops/test_cudnn_graph.c: cuDNN takes the graphs of attention and builds plans
 * for GPUs that are only described to it, with a driver that takes their kernels unseen
 * (described_driver.c). Nothing is run. */
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

/* The workspace of cuDNN's plan for a shape; -1: it has none. */
static int64_t plan_bytes(judo_cudnn_shape shape, int capability, int64_t most)
{
    char json[JSON];
    char reason[JUDO_CUDNN_REASON] = "";
    (void)snprintf(json, sizeof json, gpu, capability);
    judo_cudnn_plan *plan = judo_cudnn_plan_create(&shape, most, json, reason);
    int64_t bytes = plan ? judo_cudnn_plan_bytes(plan) : -1;
    judo_cudnn_plan_destroy(plan);
    if (strstr(reason, "not found") || strstr(reason, "is older than")) {
        skip();
    }
    if (bytes < 0) {
        print_message("capability %d, %s: %s\n", capability,
                      shape.backward ? "backward" : "forward", reason);
    }
    return bytes;
}

static const int64_t any = INT64_MAX / 2;

/* Both directions of a shape, on an H100 or H200. */
static void assert_planned(judo_cudnn_shape shape)
{
    shape.backward = false;
    assert_true(plan_bytes(shape, 900, any) >= 0);
    shape.backward = true;
    assert_true(plan_bytes(shape, 900, any) >= 0);
}

static const judo_cudnn_shape windows = {
    .batch = 16, .length = 64, .query_heads = 16, .key_heads = 16, .dim = 80};
static const judo_cudnn_shape text = {
    .batch = 1, .length = 2048, .query_heads = 28, .key_heads = 4, .dim = 128, .causal = true};

static void test_plan__is_built_for_windows(void **state)
{
    (void)state;
    assert_planned(windows);
}

static void test_plan__is_built_for_causal_runs_of_grouped_heads(void **state)
{
    (void)state;
    judo_cudnn_shape small = text;
    small.batch = 4;
    small.length = 512;
    small.query_heads = 14;
    small.key_heads = 2;
    small.dim = 64;
    assert_planned(text);
    assert_planned(small);
}

static void test_plan__is_built_for_packed_runs(void **state)
{
    (void)state;
    judo_cudnn_shape shape = text;
    shape.batch = 4;
    shape.length = 1280;
    shape.packed = true;
    assert_planned(shape);
    shape = windows;
    shape.packed = true;
    assert_planned(shape);
}

static void test_plan__is_built_for_other_gpus(void **state)
{
    (void)state;
    judo_cudnn_shape shape = text;
    for (int backward = 0; backward < 2; backward++) {
        shape.backward = backward;
        assert_true(plan_bytes(shape, 800, any) >= 0);
    }
}

/* The deterministic backward pass keeps the scores' gradient: 28 x 2048 x 2048 in bf16. */
static void test_plan__of_backward_needs_the_scores_in_memory(void **state)
{
    (void)state;
    judo_cudnn_shape shape = text;
    shape.backward = true;
    int64_t scores = (int64_t)28 * 2048 * 2048 * 2;
    int64_t bytes = plan_bytes(shape, 900, any);
    assert_true(bytes >= scores && bytes < 2 * scores);
    assert_true(plan_bytes(shape, 900, bytes) == bytes);
    assert_true(plan_bytes(shape, 900, scores) == -1);
}

static void test_plan__of_a_dimension_without_kernels_is_declined(void **state)
{
    (void)state;
    judo_cudnn_shape shape = windows;
    shape.dim = 84;
    assert_true(plan_bytes(shape, 900, any) == -1);
    shape.backward = true;
    assert_true(plan_bytes(shape, 900, any) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__is_built_for_windows),
        cmocka_unit_test(test_plan__is_built_for_causal_runs_of_grouped_heads),
        cmocka_unit_test(test_plan__is_built_for_packed_runs),
        cmocka_unit_test(test_plan__is_built_for_other_gpus),
        cmocka_unit_test(test_plan__of_backward_needs_the_scores_in_memory),
        cmocka_unit_test(test_plan__of_a_dimension_without_kernels_is_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
