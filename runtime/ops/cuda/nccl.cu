/* runtime/ops/cuda/nccl.cu: exchange between GPUs by NCCL. Communicators do not block: calls
 * return while NCCL works, and its state is asked for (ncclCommGetAsyncError). */
#include "runtime/ops/cuda/kernel.cuh"

#include <nccl.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static_assert((int)JUDO_DEVICE_GROUP_ID == (int)NCCL_UNIQUE_ID_BYTES,
              "the size of NCCL's names");

enum { MAX_BUFFERS = 16 };

/* Blocks of NCCL's own kind that a pool deals out. */
static struct {
    char *begin;
    int64_t bytes;
} pools[4];

struct judo_device_group {
    ncclComm_t comm;
    int size, num_buffers;

    struct {
        void *memory, *handle;
    } buffers[MAX_BUFFERS]; /* memory NULL: it is another's */
};

static judo_status check(const judo_device_group *group, ncclResult_t result, const char *what)
{
    if (result == ncclSuccess || result == ncclInProgress) {
        return JUDO_OK;
    }
    const char *detail = ncclGetLastError(group ? group->comm : NULL);
    return JUDO_FAIL(JUDO_ERROR_COMM, "nccl: %s: %s%s%s", what, ncclGetErrorString(result),
                     detail && detail[0] ? ": " : "", detail ? detail : "");
}

#define NCCL_TRY(group, call) JUDO_TRY(check((group), (call), #call))

static cudaStream_t queue_of(judo_stream *stream)
{
    return stream ? (cudaStream_t)stream : judo_cuda.stream;
}

static judo_status place(char out[JUDO_DEVICE_PLACE_BYTES])
{
    JUDO_CUDA_TRY(cudaDeviceGetPCIBusId(out, JUDO_DEVICE_PLACE_BYTES, judo_cuda.index));
    return JUDO_OK;
}

static judo_status make_id(unsigned char out[JUDO_DEVICE_GROUP_ID])
{
    ncclUniqueId id;
    NCCL_TRY(NULL, ncclGetUniqueId(&id));
    memcpy(out, id.internal, sizeof id.internal);
    return JUDO_OK;
}

static judo_status begin(judo_device_group **out, const unsigned char *bytes, int rank,
                         int size)
{
    ncclUniqueId id;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    memcpy(id.internal, bytes, sizeof id.internal);
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    judo_device_group *group = (judo_device_group *)calloc(1, sizeof *group);
    if (!group) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "nccl: no memory for a group of %d", size);
    }
    group->size = size;
    judo_status status =
        check(NULL, ncclCommInitRankConfig(&group->comm, size, id, rank, &config),
              "ncclCommInitRankConfig");
    if (status != JUDO_OK) {
        free(group);
        return status;
    }
    *out = group;
    return JUDO_OK;
}

static judo_status settled(judo_device_group *group, bool *done)
{
    ncclResult_t state = ncclSuccess;
    NCCL_TRY(group, ncclCommGetAsyncError(group->comm, &state));
    JUDO_TRY(check(group, state, "asynchronous error"));
    *done = state == ncclSuccess;
    return JUDO_OK;
}

static judo_status close_group(judo_device_group *group)
{
    for (int i = 0; i < group->num_buffers; i++) {
        NCCL_TRY(group, ncclCommDeregister(group->comm, group->buffers[i].handle));
    }
    NCCL_TRY(group, ncclCommFinalize(group->comm));
    return JUDO_OK;
}

static void free_group(judo_device_group *group)
{
    for (int i = 0; i < group->num_buffers; i++) {
        if (group->buffers[i].memory) {
            (void)ncclMemFree(group->buffers[i].memory);
        }
    }
    free(group);
}

static void release_group(judo_device_group *group)
{
    (void)ncclCommDestroy(group->comm);
    free_group(group);
}

static void *abort_and_free(void *memory)
{
    judo_device_group *group = (judo_device_group *)memory;
    (void)ncclCommAbort(group->comm);
    free_group(group);
    return NULL;
}

/* NCCL promises no time. A thread that does not come back goes with the process. */
static void force_end(judo_device_group *group)
{
    enum { PATIENCE_SECONDS = 5 };

    pthread_t thread;
    struct timespec end;
    if (pthread_create(&thread, NULL, abort_and_free, group) != 0) {
        return; /* the process is about to end */
    }
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_SECONDS;
    if (pthread_timedjoin_np(thread, NULL, &end) != 0) {
        (void)pthread_detach(thread);
    }
}

static judo_status all_gather(judo_device_group *group, const void *slice, int64_t slice_bytes,
                              void *out, judo_stream *stream)
{
    NCCL_TRY(group, ncclAllGather(slice, out, (size_t)slice_bytes, ncclUint8, group->comm,
                                  queue_of(stream)));
    return JUDO_OK;
}

static judo_status reduce_scatter(judo_device_group *group, const float *values, float *sums,
                                  int64_t slice, judo_stream *stream)
{
    NCCL_TRY(group, ncclReduceScatter(values, sums, (size_t)slice, ncclFloat32, ncclSum,
                                      group->comm, queue_of(stream)));
    return JUDO_OK;
}

static judo_status send_and_receive(judo_device_group *group, const char *leaving,
                                    char *arriving, size_t bytes, judo_stream *stream)
{
    for (int peer = 0; peer < group->size; peer++) {
        NCCL_TRY(group, ncclSend(leaving + (size_t)peer * bytes, bytes, ncclUint8, peer,
                                 group->comm, queue_of(stream)));
        NCCL_TRY(group, ncclRecv(arriving + (size_t)peer * bytes, bytes, ncclUint8, peer,
                                 group->comm, queue_of(stream)));
    }
    return JUDO_OK;
}

static judo_status exchange(judo_device_group *group, const void *leaving, void *arriving,
                            int64_t piece_bytes, judo_stream *stream)
{
    NCCL_TRY(group, ncclGroupStart());
    judo_status status = send_and_receive(group, (const char *)leaving, (char *)arriving,
                                          (size_t)piece_bytes, stream);
    judo_status ended = check(group, ncclGroupEnd(), "ncclGroupEnd");
    return status != JUDO_OK ? status : ended;
}

template <typename T>
static __global__ void pack_pieces(T *pieces, const float *values, int64_t slice, int64_t count,
                                   int64_t total)
{
    int64_t i = thread_number();
    if (i < total) {
        write(pieces, i, values[i / count * slice + i % count]);
    }
}

template <typename T>
static void launch_pack(void *pieces, const float *values, int64_t slice, int64_t count,
                        int64_t total, judo_stream *stream)
{
    judo_cuda_launch_on(queue_of(stream), pack_pieces<T>, judo_cuda_blocks(total),
                        JUDO_CUDA_THREADS, 0, (T *)pieces, values, slice, count, total);
}

static judo_status pack(void *pieces, judo_dtype wire, const float *values, int64_t slice,
                        int64_t first, int64_t count, int size, judo_stream *stream)
{
    if (count > 0) {
        JUDO_CUDA_FOR_DTYPE(wire, launch_pack, pieces, values + first, slice, count,
                            count * size, stream);
    }
    return judo_cuda_launched("pack");
}

template <typename T>
static __global__ void sum_pieces(float *shard, bool add, const T *pieces, int64_t count,
                                  int size)
{
    int64_t i = thread_number();
    if (i < count) {
        float sum = read(pieces, i);
        for (int r = 1; r < size; r++) {
            sum += read(pieces, r * count + i);
        }
        shard[i] = add ? shard[i] + sum : sum;
    }
}

template <typename T>
static void launch_sum(float *shard, bool add, const void *pieces, int64_t count, int size,
                       judo_stream *stream)
{
    judo_cuda_launch_on(queue_of(stream), sum_pieces<T>, judo_cuda_blocks(count),
                        JUDO_CUDA_THREADS, 0, shard, add, (const T *)pieces, count, size);
}

static judo_status sum(float *shard, bool add, const void *pieces, judo_dtype wire,
                       int64_t count, int size, judo_stream *stream)
{
    if (count > 0) {
        JUDO_CUDA_FOR_DTYPE(wire, launch_sum, shard, add, pieces, count, size, stream);
    }
    return judo_cuda_launched("sum");
}

static judo_status allocate(judo_device_group *group, void **out, int64_t bytes)
{
    void *memory = NULL;
    void *handle = NULL;
    size_t size = (size_t)bytes + (bytes == 0);
    if (group->num_buffers == MAX_BUFFERS || bytes < 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "nccl: a group with %d buffers asked for another of %" PRId64 " bytes",
                         group->num_buffers, bytes);
    }
    JUDO_CUDA_TRY(cudaSetDevice(judo_cuda.index));
    judo_cuda_count_allocation();
    if (ncclMemAlloc(&memory, size) != ncclSuccess) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "nccl: no device memory for a buffer of %" PRId64 " bytes", bytes);
    }
    judo_status status =
        check(group, ncclCommRegister(group->comm, memory, size, &handle), "ncclCommRegister");
    if (status != JUDO_OK) {
        (void)ncclMemFree(memory);
        return status;
    }
    group->buffers[group->num_buffers].memory = memory;
    group->buffers[group->num_buffers++].handle = handle;
    *out = memory;
    return JUDO_OK;
}

bool judo_cuda_nccl_take(void **out, int64_t bytes)
{
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        void *memory = NULL;
        if (pools[i].begin) {
            continue;
        }
        judo_cuda_count_allocation();
        if (ncclMemAlloc(&memory, (size_t)bytes + (bytes == 0)) != ncclSuccess) {
            (void)cudaGetLastError();
            return false;
        }
        pools[i].begin = (char *)memory;
        pools[i].bytes = bytes;
        *out = memory;
        return true;
    }
    return false;
}

bool judo_cuda_nccl_give_back(void *memory)
{
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        if (memory && pools[i].begin == memory) {
            (void)ncclMemFree(memory);
            pools[i].begin = NULL;
            return true;
        }
    }
    return false;
}

static bool is_of_nccl(const void *memory)
{
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        if (pools[i].begin && (const char *)memory >= pools[i].begin &&
            (const char *)memory < pools[i].begin + pools[i].bytes) {
            return true;
        }
    }
    return false;
}

/* What cannot be registered is exchanged all the same. */
static judo_status lend(judo_device_group *group, void *memory, int64_t bytes,
                        judo_device_loan *loan)
{
    void *handle = NULL;
    judo_device_loan made = JUDO_LOAN_NONE;
    if (group->num_buffers < MAX_BUFFERS && bytes > 0 &&
        ncclCommRegister(group->comm, memory, (size_t)bytes, &handle) == ncclSuccess) {
        group->buffers[group->num_buffers++].handle = handle;
        made = is_of_nccl(memory) ? JUDO_LOAN_SHARED : JUDO_LOAN_PLAIN;
    }
    *loan = made;
    return JUDO_OK;
}

static judo_status take_back(judo_device_group *group)
{
    if (group->num_buffers == 0 || group->buffers[group->num_buffers - 1].memory) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "nccl: nothing was lent last");
    }
    NCCL_TRY(group,
             ncclCommDeregister(group->comm, group->buffers[--group->num_buffers].handle));
    return JUDO_OK;
}

const judo_device_collectives *judo_cuda_collectives(void)
{
    static char description[32];
    static const judo_device_collectives table = {
        .description = description,
        .place = place,
        .make_id = make_id,
        .begin = begin,
        .settled = settled,
        .close = close_group,
        .release = release_group,
        .force_end = force_end,
        .all_gather = all_gather,
        .reduce_scatter = reduce_scatter,
        .exchange = exchange,
        .pack = pack,
        .sum = sum,
        .allocate = allocate,
        .lend = lend,
        .take_back = take_back,
    };
    int version = 0;
    (void)ncclGetVersion(&version);
    (void)snprintf(description, sizeof description, "NCCL %d.%d.%d", version / 10000,
                   version / 100 % 100, version % 100);
    return &table;
}
