/* runtime/ops/cuda/context.cu: the GPU of this process, its scratch memory, and the way of
 * lists and results between host and device. */
#include "runtime/ops/cuda/replay.cuh"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

judo_cuda_context judo_cuda;

judo_status judo_cuda_check(cudaError_t error, const char *what)
{
    if (error == cudaSuccess) {
        return JUDO_OK;
    }
    if (error == cudaErrorMemoryAllocation) {
        size_t left = 0;
        size_t total = 0;
        (void)cudaGetLastError();
        (void)cudaMemGetInfo(&left, &total);
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "cuda: %s: out of memory, %zu of %zu MiB are left; use smaller "
                         "batches or chunks",
                         what, left >> 20, total >> 20);
    }
    return JUDO_FAIL(JUDO_ERROR_INTERNAL, "cuda: %s: %s (%s)", what, cudaGetErrorString(error),
                     cudaGetErrorName(error));
}

/* Versions are 1000 major + 10 minor. */
static judo_status check_driver(int *driver)
{
    if (cudaDriverGetVersion(driver) != cudaSuccess || *driver == 0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "cuda: this machine has no NVIDIA driver (libcuda.so.1); install one, "
                         "or set device to cpu");
    }
    if (*driver / 1000 < CUDART_VERSION / 1000) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "cuda: the NVIDIA driver knows CUDA up to %d.%d, this module needs "
                         "%d.0; install a newer driver, or set device to cpu",
                         *driver / 1000, *driver % 1000 / 10, CUDART_VERSION / 1000);
    }
    return JUDO_OK;
}

judo_status judo_cuda_start(int index, char *description, size_t size)
{
    int driver = 0;
    int count = 0;
    JUDO_TRY(check_driver(&driver));
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count == 0) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "cuda: the driver shows no GPU (%s; CUDA_VISIBLE_DEVICES may hide "
                         "them); set device to cpu to run without",
                         error == cudaSuccess ? "none" : cudaGetErrorString(error));
    }
    const char *share = getenv("JUDO_GPU_SHARE");
    if (share && strcmp(share, "1") == 0 && index >= count) {
        index %= count; /* for tests: more ranks than GPUs */
    }
    if (index < 0 || index >= count) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "cuda: GPU %d is wanted, but this machine has %d; start no more ranks "
                         "on a node than it has GPUs, or let them share with JUDO_GPU_SHARE=1",
                         index, count);
    }
    cudaDeviceProp properties;
    JUDO_CUDA_TRY(cudaGetDeviceProperties(&properties, index));
    if (properties.major < 8) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "cuda: GPU %d, %s, has compute capability %d.%d; 8.0 is the least",
                         index, properties.name, properties.major, properties.minor);
    }
    JUDO_CUDA_TRY(cudaSetDevice(index));
    judo_cuda.index = index;
    JUDO_CUDA_TRY(cudaStreamCreateWithFlags(&judo_cuda.stream, cudaStreamNonBlocking));
    (void)snprintf(description, size,
                   "GPU %d: %s, %zu MiB, capability %d.%d, driver for CUDA %d.%d", index,
                   properties.name, properties.totalGlobalMem >> 20, properties.major,
                   properties.minor, driver / 1000, driver % 1000 / 10);
    return JUDO_OK;
}

static int64_t num_allocations;

/* Any thread may take memory. */
void judo_cuda_count_allocation(void)
{
    (void)__atomic_fetch_add(&num_allocations, 1, __ATOMIC_RELAXED);
}

int64_t judo_cuda_allocations(void)
{
    return __atomic_load_n(&num_allocations, __ATOMIC_RELAXED);
}

judo_status judo_cuda_take(void **memory, int64_t bytes)
{
    void *taken = NULL;
    judo_cuda_count_allocation();
    JUDO_CUDA_TRY(cudaMalloc(&taken, (size_t)bytes + (bytes == 0)));
    *memory = taken;
    return JUDO_OK;
}

judo_status judo_cuda_take_pinned(void **memory, int64_t bytes)
{
    void *taken = NULL;
    judo_cuda_count_allocation();
    JUDO_CUDA_TRY(cudaMallocHost(&taken, (size_t)bytes + (bytes == 0)));
    *memory = taken;
    return JUDO_OK;
}

judo_status judo_cuda_scratch(void **memory, judo_cuda_scratch_user user, int64_t bytes)
{
    static void *buffers[JUDO_CUDA_SCRATCH_USERS];
    static int64_t capacities[JUDO_CUDA_SCRATCH_USERS];
    if (bytes > capacities[user] && judo_cuda_replay_yields()) {
        JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
        JUDO_CUDA_TRY(cudaFree(buffers[user]));
        buffers[user] = NULL;
        capacities[user] = 0;
        JUDO_TRY(judo_cuda_take(&buffers[user], bytes));
        capacities[user] = bytes;
    }
    *memory = buffers[user];
    return JUDO_OK;
}

judo_status judo_cuda_host_scratch(void **memory, int64_t bytes)
{
    static void *buffer;
    static int64_t capacity;
    if (bytes > capacity) {
        void *grown = malloc((size_t)bytes);
        if (!grown) {
            return JUDO_FAIL(JUDO_ERROR_MEMORY,
                             "cuda: no memory for %" PRId64 " bytes of lists", bytes);
        }
        free(buffer);
        buffer = grown;
        capacity = bytes;
    }
    *memory = buffer;
    return JUDO_OK;
}

/* A run of page-locked memory and its mirror on the device, filled from the front; before it
 * begins again at the front the queue is empty, so that nothing on its way is overwritten. */
static struct {
    char *host, *device;
    int64_t capacity, sent, used;
} lists;

/* Where the last lists stand in the run: layer after layer brings the same spans and indices,
 * which are on the device already. */
static struct {
    struct {
        int64_t offset, bytes;
    } places[64];

    unsigned next;
} known;

static void forget_lists(void)
{
    memset(&known, 0, sizeof known);
}

/* The offset of a list of the same content; -1: none. */
static int64_t find_list(const void *host, int64_t bytes)
{
    for (size_t i = 0; i < sizeof known.places / sizeof *known.places; i++) {
        if (known.places[i].bytes == bytes &&
            memcmp(lists.host + known.places[i].offset, host, (size_t)bytes) == 0) {
            return known.places[i].offset;
        }
    }
    return -1;
}

judo_status judo_cuda_lists_open(int64_t bytes)
{
    const int64_t least = 4 << 20;
    if (judo_cuda_replay_phase() != JUDO_CUDA_PLAIN) {
        return JUDO_OK;
    }
    if (lists.used != lists.sent) { /* an op failed before it sent its lists */
        forget_lists();
    }
    if (lists.used + bytes > lists.capacity) {
        JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
        lists.used = 0;
        forget_lists();
    }
    if (bytes > lists.capacity) {
        int64_t capacity = bytes > least ? bytes : least;
        JUDO_CUDA_TRY(cudaFreeHost(lists.host));
        JUDO_CUDA_TRY(cudaFree(lists.device));
        lists.host = NULL;
        lists.device = NULL;
        lists.capacity = 0;
        JUDO_TRY(judo_cuda_take_pinned((void **)&lists.host, capacity));
        JUDO_TRY(judo_cuda_take((void **)&lists.device, capacity));
        lists.capacity = capacity;
    }
    lists.sent = lists.used;
    return JUDO_OK;
}

const void *judo_cuda_lists_put(const void *host, int64_t bytes)
{
    if (!host) {
        return NULL;
    }
    if (judo_cuda_replay_phase() != JUDO_CUDA_PLAIN) {
        return judo_cuda_replay_put(host, bytes);
    }
    if (bytes <= 0) {
        return lists.device + lists.used;
    }
    int64_t offset = find_list(host, bytes);
    if (offset >= 0) {
        return lists.device + offset;
    }
    offset = lists.used;
    memcpy(lists.host + offset, host, (size_t)bytes);
    lists.used += judo_cuda_aligned(bytes);
    unsigned place = known.next++ % (sizeof known.places / sizeof *known.places);
    known.places[place].offset = offset;
    known.places[place].bytes = bytes;
    return lists.device + offset;
}

judo_status judo_cuda_lists_send(void)
{
    if (judo_cuda_replay_phase() == JUDO_CUDA_PLAIN && lists.used > lists.sent) {
        JUDO_CUDA_TRY(cudaMemcpyAsync(lists.device + lists.sent, lists.host + lists.sent,
                                      (size_t)(lists.used - lists.sent), cudaMemcpyHostToDevice,
                                      judo_cuda.stream));
        lists.sent = lists.used;
    }
    return JUDO_OK;
}

judo_status judo_cuda_fetch(void *host, const void *device, int64_t bytes)
{
    if (!judo_cuda_replay_yields()) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "cuda: an op with results for the host inside a replayed run of ops");
    }
    if (bytes > 0) {
        JUDO_CUDA_TRY(cudaMemcpyAsync(host, device, (size_t)bytes, cudaMemcpyDeviceToHost,
                                      judo_cuda.stream));
    }
    JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
    return JUDO_OK;
}
