/* tests/emulator/test_emulator.cpp: the emulator itself, with small kernels: what would hang or
 * be undefined on a GPU ends the process, missing barriers show, and tensor-core instructions
 * multiply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <cmocka.h>
}

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "tests/emulator/memory.h"
#include "tests/emulator/mma.h"
#include "tests/emulator/stream.h"

/* The address sanitizer sees steps outside of shared variables, but their values stay from
 * block to block (include/cuda_runtime.h). */
#ifdef __SANITIZE_ADDRESS__
enum { SPOILED_VARIABLES = 0 };
#else
enum { SPOILED_VARIABLES = 1 };
#endif

/* The words of a process that `run` ends, or "" where it does not. */
static void last_words(char *words, size_t size, const std::function<void()> &run)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        (void)signal(SIGSEGV, SIG_DFL);
        run();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t length = 0;
    for (ssize_t got = 1; got > 0;) {
        got = read(ends[0], words + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    (void)close(ends[0]);
    words[length] = '\0';
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

/* Runs a kernel of one block that has to fail with these words. */
static void assert_fails(const char *expected, int threads, const std::function<void()> &thread)
{
    char words[2000];
    const emulator_shape shape = {(const void *)assert_fails, dim3(1), threads, 0};
    last_words(words, sizeof words, [&]() { emulator_run_grid(&shape, thread, false); });
    if (!strstr(words, expected)) {
        fail_msg("'%s' does not say '%s'", words, expected);
    }
}

static void run(dim3 grid, int threads, size_t shared_bytes,
                const std::function<void()> &thread, bool backward)
{
    const emulator_shape shape = {(const void *)run, grid, threads, shared_bytes};
    emulator_run_grid(&shape, thread, backward);
}

static void test_barrier__reached_by_a_part_of_the_block_is_a_failure(void **state)
{
    (void)state;
    assert_fails("a barrier that 40 of 64 threads have reached", 64, []() {
        if (threadIdx.x < 40) {
            __syncthreads();
        }
    });
    assert_fails("two kinds of barriers", 64, []() {
        if (threadIdx.x < 32) {
            __syncthreads();
        } else {
            (void)__syncthreads_or(1);
        }
    });
}

static void test_shuffle__without_all_lanes_is_a_failure(void **state)
{
    (void)state;
    assert_fails("wait for lanes 0x1 of warp 1: of those 0 are at a barrier, 0x1 done", 64,
                 []() {
                     if (threadIdx.x != 32) {
                         (void)__shfl_xor_sync(~0u, 1.0f, 1);
                     }
                 });
    assert_fails("of those 0x80000000 are at a barrier", 32, []() {
        if (threadIdx.x == 31) {
            __syncthreads();
        }
        (void)__shfl_xor_sync(~0u, 1.0f, 1);
    });
    assert_fails("wait for lanes 0xffff0000 of warp 1", 48,
                 []() { (void)__shfl_xor_sync(~0u, 1.0f, 1); });
    assert_fails("only whole warps", 32, []() { (void)__shfl_xor_sync(0xffffu, 1.0f, 1); });
}

static void test_lanes__at_different_instructions_are_a_failure(void **state)
{
    (void)state;
    assert_fails("at different instructions", 32, []() {
        float c[4] = {};
        uint32_t a[4] = {};
        if (threadIdx.x < 16) {
            (void)__shfl_xor_sync(~0u, 1.0f, 1);
        } else {
            emulator_multiply_add(c, a, 0, 0);
        }
    });
}

enum { THREADS = 96 };

/* Each thread reads what its neighbour wrote to shared memory. */
static bool neighbours_meet(bool wait, bool backward)
{
    static int got[THREADS];
    run(
        dim3(1), THREADS, 0,
        [=]() {
            __shared__ int numbers[THREADS];
            numbers[threadIdx.x] = (int)threadIdx.x;
            if (wait) {
                __syncthreads();
            }
            got[threadIdx.x] = numbers[(threadIdx.x + 1) % THREADS];
        },
        backward);
    bool right = true;
    for (int i = 0; i < THREADS; i++) {
        right = right && got[i] == (i + 1) % THREADS;
    }
    return right;
}

static void test_shared_memory__shows_a_barrier_that_is_missing(void **state)
{
    (void)state;
    assert_true(neighbours_meet(true, false) && neighbours_meet(true, true));
    assert_true(!SPOILED_VARIABLES ||
                !(neighbours_meet(false, false) && neighbours_meet(false, true)));
}

/* Nothing of the block before is left. */
static void test_shared_memory__is_not_a_number_when_a_block_starts(void **state)
{
    (void)state;
    static float kept[2], asked[2];
    run(
        dim3(2), 32, 4,
        []() {
            __shared__ float one;
            float *launch = (float *)emulator_launch_memory();
            if (threadIdx.x == 0) {
                kept[blockIdx.x] = one;
                asked[blockIdx.x] = launch[0];
                one = 1.0f;
                launch[0] = 1.0f;
            }
        },
        false);
    assert_true(!SPOILED_VARIABLES || (isnan(kept[0]) && isnan(kept[1])));
    assert_true(isnan(asked[0]) && isnan(asked[1]));
}

static void test_grid__runs_every_thread_once_in_either_order(void **state)
{
    (void)state;

    enum { X = 3, Y = 2, WIDTH = 70 };

    static int count[Y][X][WIDTH];
    for (int times = 1; times <= 2; times++) {
        run(
            dim3(X, Y), WIDTH, 0,
            []() {
                count[blockIdx.y][blockIdx.x][threadIdx.x] +=
                    blockDim.x == WIDTH && gridDim.x == X && gridDim.y == Y;
            },
            times == 2);
        for (int i = 0; i < X * Y * WIDTH; i++) {
            assert_int_equal((&count[0][0][0])[i], times);
        }
    }
}

static uint16_t bf16_of(float x)
{
    return __bfloat16_as_ushort(__float2bfloat16_rn(x));
}

/* c[16][8] = a[16][16] b^T or a b, b in memory as [8][16] or, transposed, as [16][8]. */
static void multiply_by_warp(float c[16][8], const float a[16][16], const float *b, bool turned)
{
    run(
        dim3(1), 32, 1024,
        [=]() {
            uint16_t *tile = (uint16_t *)emulator_launch_memory();
            int lane = (int)threadIdx.x;
            for (int i = lane; i < 256; i += 32) {
                tile[i] = bf16_of(a[i / 16][i % 16]);
                tile[256 + i] = bf16_of(i < 128 ? b[i] : 0.0f);
            }
            __syncthreads();
            uint32_t left[4], right[4];
            float sums[4] = {};
            emulator_load_matrices(left, tile + lane % 16 * 16 + lane / 16 * 8, false);
            /* Matrices 2 and 3 of b are not used; their rows must be somewhere. */
            const uint16_t *row = turned ? tile + 256 + lane % 16 * 8
                                         : tile + 256 + lane % 8 * 16 + lane / 8 % 2 * 8;
            emulator_load_matrices(right, row, turned);
            emulator_multiply_add(sums, left, right[0], right[1]);
            for (int i = 0; i < 4; i++) {
                c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = sums[i];
            }
        },
        false);
}

static void test_mma__multiplies_matrices_from_shared_memory(void **state)
{
    (void)state;
    float a[16][16], b[8][16], b_turned[16][8], c[16][8];
    for (int i = 0; i < 256; i++) { /* small whole numbers: every sum is exact */
        a[i / 16][i % 16] = (float)(i * 7 % 23 - 11);
        b[i % 128 / 16][i % 16] = (float)(i % 128 * 5 % 19 - 9);
        b_turned[i % 16][i % 128 / 16] = b[i % 128 / 16][i % 16];
    }
    for (int turned = 0; turned < 2; turned++) {
        multiply_by_warp(c, a, turned ? &b_turned[0][0] : &b[0][0], turned);
        for (int i = 0; i < 128; i++) {
            float sum = 0.0f;
            for (int k = 0; k < 16; k++) {
                sum += a[i / 8][k] * b[i % 8][k];
            }
            assert_true(c[i / 8][i % 8] == sum);
        }
    }
}

static void test_ldmatrix__outside_of_shared_memory_is_a_failure(void **state)
{
    (void)state;
    assert_fails("is not 16 bytes of the launch's shared memory", 32, []() {
        static uint16_t elsewhere[256];
        uint32_t r[4];
        emulator_load_matrices(r, elsewhere + threadIdx.x * 8, false);
    });
}

static void test_memory__of_the_device_is_closed_to_the_host(void **state)
{
    (void)state;
    char words[8000];
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, 100), cudaSuccess);
    volatile char *bytes = (volatile char *)memory;
    last_words(words, sizeof words, [=]() { bytes[3] = 1; });
    last_words(words, sizeof words, [=]() { (void)bytes[3]; });
    last_words(words, sizeof words, [=]() {
        emulator_memory_open();
        bytes[128] = 1; /* beyond the last page */
    });
    last_words(words, sizeof words, [=]() {
        emulator_memory_open();
        bytes[101] = 1; /* on it */
        emulator_memory_close();
    });
    last_words(words, sizeof words, [=]() {
        emulator_memory_open();
        (void)cudaFree(memory);
        (void)bytes[3];
    });
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaErrorInvalidValue);
}

static void test_copies__are_as_late_as_they_may_be(void **state)
{
    (void)state;
    (void)unsetenv("JUDO_EMULATOR");
    cudaStream_t stream = NULL;
    cudaEvent_t event = NULL;
    void *memory = NULL;
    int from = 1;
    int to = 0;
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    assert_int_equal(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
    assert_int_equal(cudaMalloc(&memory, sizeof from), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(memory, &from, sizeof from, cudaMemcpyDefault, stream), 0);
    from = 2; /* too early */
    assert_int_equal(cudaMemcpyAsync(&to, memory, sizeof to, cudaMemcpyDefault, stream), 0);
    assert_int_equal(cudaEventRecord(event, stream), cudaSuccess);
    assert_int_equal(to, 0);
    assert_int_equal(cudaEventQuery(event), cudaErrorNotReady);
    assert_int_equal(cudaGetLastError(), cudaErrorNotReady);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(cudaEventQuery(event), cudaSuccess);
    assert_int_equal(to, 2);
    assert_int_equal(cudaEventRecord(event, stream), cudaSuccess);
    assert_int_equal(cudaMemsetAsync(memory, 0, sizeof to, stream), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(&to, memory, sizeof to, cudaMemcpyDefault, stream), 0);
    assert_int_equal(cudaEventSynchronize(event), cudaSuccess);
    assert_int_equal(to, 2);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(to, 0);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(cudaEventDestroy(event), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
}

static void test_graphs__do_what_was_captured_at_every_launch(void **state)
{
    (void)state;
    cudaStream_t stream = NULL;
    cudaGraph_t graph = NULL;
    cudaGraphExec_t executable = NULL;
    void *memory = NULL, *from = NULL;
    int to = 0;
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    assert_int_equal(cudaMalloc(&memory, sizeof to), cudaSuccess);
    assert_int_equal(cudaMallocHost(&from, sizeof to), cudaSuccess);
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), 0);
    assert_int_equal(cudaMemcpyAsync(memory, from, sizeof to, cudaMemcpyHostToDevice, stream),
                     0);
    assert_int_equal(cudaMemcpyAsync(&to, memory, sizeof to, cudaMemcpyDeviceToHost, stream),
                     0);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaSuccess);
    assert_int_equal(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(to, 0);
    for (int i = 1; i <= 2; i++) {
        memcpy(from, &i, sizeof i);
        assert_int_equal(cudaGraphLaunch(executable, stream), cudaSuccess);
        assert_int_equal(to, i - 1);
        assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
        assert_int_equal(to, i);
    }
    assert_int_equal(cudaGraphExecDestroy(executable), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(cudaFreeHost(from), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
}

static void test_captures__are_lost_where_the_host_waits_or_takes_memory(void **state)
{
    (void)state;
    cudaStream_t stream = NULL;
    void *memory = NULL;
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    for (int i = 0; i < 2; i++) {
        cudaGraph_t graph = NULL;
        assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), 0);
        cudaError_t error =
            i == 0 ? cudaStreamSynchronize(stream) : cudaMalloc(&memory, sizeof error);
        assert_int_equal(error, cudaErrorStreamCaptureUnsupported);
        assert_int_equal(cudaStreamEndCapture(stream, &graph),
                         cudaErrorStreamCaptureInvalidated);
        assert_null(graph);
        assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    }
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    (void)cudaGetLastError();
}

static void test_launch__refuses_what_a_gpu_refuses(void **state)
{
    (void)state;
    const void *kernel = (const void *)test_launch__refuses_what_a_gpu_refuses;

    const struct {
        emulator_shape shape;
        cudaError_t error;
    } cases[] = {
        {{kernel, dim3(0), 32, 0}, cudaErrorInvalidConfiguration},
        {{kernel, dim3(1, 65536), 32, 0}, cudaErrorInvalidConfiguration},
        {{kernel, dim3(1), 1025, 0}, cudaErrorInvalidConfiguration},
        {{kernel, dim3(1), 32, EMULATOR_SHARED + 16}, cudaErrorInvalidValue},
        {{kernel, dim3(1), 32, EMULATOR_SHARED}, cudaSuccess},
    };

    cudaStream_t stream = NULL;
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    for (const auto &one : cases) {
        emulator_launch(one.shape, stream, []() {});
        assert_int_equal(cudaGetLastError(), one.error);
        assert_int_equal(cudaGetLastError(), cudaSuccess);
    }
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    emulator_launch(cases[4].shape, stream, []() {});
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidResourceHandle);
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_barrier__reached_by_a_part_of_the_block_is_a_failure),
        cmocka_unit_test(test_shuffle__without_all_lanes_is_a_failure),
        cmocka_unit_test(test_lanes__at_different_instructions_are_a_failure),
        cmocka_unit_test(test_shared_memory__shows_a_barrier_that_is_missing),
        cmocka_unit_test(test_shared_memory__is_not_a_number_when_a_block_starts),
        cmocka_unit_test(test_grid__runs_every_thread_once_in_either_order),
        cmocka_unit_test(test_mma__multiplies_matrices_from_shared_memory),
        cmocka_unit_test(test_ldmatrix__outside_of_shared_memory_is_a_failure),
        cmocka_unit_test(test_memory__of_the_device_is_closed_to_the_host),
        cmocka_unit_test(test_copies__are_as_late_as_they_may_be),
        cmocka_unit_test(test_graphs__do_what_was_captured_at_every_launch),
        cmocka_unit_test(test_captures__are_lost_where_the_host_waits_or_takes_memory),
        cmocka_unit_test(test_launch__refuses_what_a_gpu_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
