/* runtime/ops/cuda/device.cu: the GPU behind the device table. */
#include "runtime/ops/cuda/replay.cuh"

#include <inttypes.h>
#include <stdlib.h>

extern "C" {
#include "runtime/ops/cuda/work_memory.h"
}

static judo_status queue_of(cudaStream_t *queue, judo_stream *stream)
{
    if (!stream && !judo_cuda_replay_yields()) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "cuda: the ops' queue is used inside a replayed run of ops");
    }
    *queue = stream ? (cudaStream_t)stream : judo_cuda.stream;
    return JUDO_OK;
}

static judo_status memory(int64_t *available, int64_t *total)
{
    size_t left = 0;
    size_t all = 0;
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_CUDA_TRY(cudaMemGetInfo(&left, &all));
    *available = (int64_t)left;
    *total = (int64_t)all;
    return JUDO_OK;
}

static judo_status check_bytes(int64_t bytes)
{
    if (bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "cuda: %" PRId64 " bytes of memory", bytes);
    }
    return JUDO_OK;
}

static judo_status allocate(void **out, int64_t bytes)
{
    JUDO_TRY(check_bytes(bytes));
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index)); /* current device is a thread's own */
    return judo_cuda_take(out, bytes);
}

/* A block that NCCL has not is as good to all the rest. */
static judo_status allocate_pool(void **out, int64_t bytes)
{
    JUDO_TRY(check_bytes(bytes));
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
#ifdef JUDO_WITH_NCCL
    if (judo_cuda_nccl_take(out, bytes)) {
        return JUDO_OK;
    }
#endif
    return judo_cuda_take(out, bytes);
}

static void release(void *taken)
{
#ifdef JUDO_WITH_NCCL
    if (judo_cuda_nccl_give_back(taken)) {
        return;
    }
#endif
    (void)cudaFree(taken);
}

/* Code of kernels and libraries as it is first used, graphs; channels of each group. Guessed
 * from the sizes that the documentation of CUDA and NCCL lead to expect, on the large side. */
static int64_t library_bytes(int num_groups)
{
    const int64_t libraries = (int64_t)384 << 20;
    const int64_t group = (int64_t)512 << 20;
    return libraries + num_groups * group;
}

static judo_status allocate_staging(void **out, int64_t bytes)
{
    JUDO_TRY(check_bytes(bytes));
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    return judo_cuda_take_pinned(out, bytes);
}

static void release_staging(void *taken)
{
    (void)cudaFreeHost(taken);
}

/* CUDA tells the kinds of memory apart by their addresses. To pageable memory it may return
 * before the copy is done, and from it once it is staged: wait where the contract says so. */
static judo_status copy(void *to, const void *from, int64_t bytes, judo_stream *stream)
{
    if (bytes == 0) {
        return JUDO_OK;
    }
    cudaStream_t queue = NULL;
    JUDO_TRY(check_bytes(bytes));
    JUDO_TRY(queue_of(&queue, stream));
    JUDO_CUDA_TRY(cudaMemcpyAsync(to, from, (size_t)bytes, cudaMemcpyDefault, queue));
    const void *const ends[2] = {to, from};
    for (int i = 0; i < 2; i++) {
        cudaPointerAttributes attributes;
        JUDO_CUDA_TRY(cudaPointerGetAttributes(&attributes, ends[i]));
        if (attributes.type == cudaMemoryTypeUnregistered) {
            JUDO_CUDA_TRY(cudaStreamSynchronize(queue));
            break;
        }
    }
    return JUDO_OK;
}

static judo_status clear(void *out, int64_t bytes, judo_stream *stream)
{
    cudaStream_t queue = NULL;
    JUDO_TRY(check_bytes(bytes));
    JUDO_TRY(queue_of(&queue, stream));
    if (bytes > 0) {
        JUDO_CUDA_TRY(cudaMemsetAsync(out, 0, (size_t)bytes, queue));
    }
    return JUDO_OK;
}

static judo_status stream_create(judo_stream **stream)
{
    cudaStream_t made = NULL;
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_CUDA_TRY(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    *stream = (judo_stream *)made;
    return JUDO_OK;
}

static void stream_destroy(judo_stream *stream)
{
    if (stream) {
        (void)cudaStreamDestroy((cudaStream_t)stream);
    }
}

static judo_status stream_finish(judo_stream *stream)
{
    cudaStream_t queue = NULL;
    JUDO_TRY(queue_of(&queue, stream));
    JUDO_CUDA_TRY(cudaStreamSynchronize(queue));
    return JUDO_OK;
}

static judo_status event_create(judo_event **event)
{
    cudaEvent_t made = NULL;
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_CUDA_TRY(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    *event = (judo_event *)made;
    return JUDO_OK;
}

static void event_destroy(judo_event *event)
{
    if (event) {
        (void)cudaEventDestroy((cudaEvent_t)event);
    }
}

static judo_status event_record(judo_event *event, judo_stream *stream)
{
    cudaStream_t queue = NULL;
    JUDO_TRY(queue_of(&queue, stream));
    JUDO_CUDA_TRY(cudaEventRecord((cudaEvent_t)event, queue));
    return JUDO_OK;
}

static judo_status event_wait(judo_event *event, judo_stream *stream)
{
    cudaStream_t queue = NULL;
    JUDO_TRY(queue_of(&queue, stream));
    JUDO_CUDA_TRY(cudaStreamWaitEvent(queue, (cudaEvent_t)event, 0));
    return JUDO_OK;
}

static judo_status event_done(judo_event *event, bool *done)
{
    cudaError_t error = cudaEventQuery((cudaEvent_t)event);
    if (error == cudaErrorNotReady) {
        (void)cudaGetLastError(); /* an answer, which the next launch would take for its own */
    } else {
        JUDO_TRY(judo_cuda_check(error, "cudaEventQuery"));
    }
    *done = error == cudaSuccess;
    return JUDO_OK;
}

/* What cuDNN's attention works in. */
static int64_t attention_bytes(void)
{
#ifdef JUDO_WITH_CUDNN
    return judo_cuda_attention_bytes();
#else
    return 0;
#endif
}

static int64_t work_bytes(const judo_device_work *most)
{
    judo_work_bytes bytes = judo_work_bytes_of(most);
    return bytes.op + bytes.product + bytes.lists + attention_bytes();
}

static judo_status reserve_work(const judo_device_work *most)
{
    judo_work_bytes bytes = judo_work_bytes_of(most);
    void *memory = NULL;
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_OP, bytes.op));
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_PRODUCT, bytes.product));
    JUDO_TRY(judo_cuda_scratch(&memory, JUDO_CUDA_SCRATCH_ATTENTION, attention_bytes()));
    return judo_cuda_lists_open(bytes.lists);
}

const judo_device *judo_device_cuda(const char *description)
{
    static judo_device device = {
        .name = "cuda",
        .description = NULL,
        .ops = NULL,
        .separate = true,
        .memory = memory,
        .allocate = allocate,
        .release = release,
        .allocate_staging = allocate_staging,
        .release_staging = release_staging,
        .allocate_pool = allocate_pool,
        .watch = NULL,
        .allocations = judo_cuda_allocations,
        .library_bytes = library_bytes,
        .copy = copy,
        .clear = clear,
        .stream_create = stream_create,
        .stream_destroy = stream_destroy,
        .stream_finish = stream_finish,
        .event_create = event_create,
        .event_destroy = event_destroy,
        .event_record = event_record,
        .event_wait = event_wait,
        .event_done = event_done,
        .replay_create = NULL,
        .replay_destroy = NULL,
        .replay_begin = NULL,
        .replay_end = NULL,
        .collectives = NULL,
        .rewards = NULL,
        .work_bytes = work_bytes,
        .reserve_work = reserve_work,
    };
    device.description = description;
    const char *graphs = getenv("JUDO_CUDA_GRAPHS");
    if (!graphs || strcmp(graphs, "0") != 0) {
        device.replay_create = judo_cuda_replay_create;
        device.replay_destroy = judo_cuda_replay_destroy;
        device.replay_begin = judo_cuda_replay_begin;
        device.replay_end = judo_cuda_replay_end;
    }
    device.ops = judo_ops_cuda();
    device.rewards = judo_cuda_rewards();
#ifdef JUDO_WITH_NCCL
    device.collectives = judo_cuda_collectives();
#endif
    return &device;
}
