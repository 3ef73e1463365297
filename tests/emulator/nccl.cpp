/* tests/emulator/nccl.cpp: see include/nccl.h. Every rank writes what it brings into its part
 * of memory that the ranks share, and takes from the others' when all have written. Nothing
 * blocks: an exchange on a stream is tried again until it is through. A call on a communicator
 * that is still at work, which NCCL forbids, is refused. */
#include <nccl.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "tests/emulator/memory.h"
#include "tests/emulator/stream.h"

namespace
{

constexpr size_t PART_BYTES = 48u << 20; /* taken as far as it is written to */
constexpr int QUESTIONS = 3;             /* until a call is settled */

struct part {
    std::atomic<int64_t> joined, put, taken;
    alignas(64) unsigned char content[PART_BYTES];
};

/* One message of a group of them. */
struct message {
    bool sends;
    const unsigned char *from;
    unsigned char *to;
    size_t bytes;
    int peer;
};

struct {
    bool open;
    std::vector<message> messages;
    ncclComm_t comm;
    cudaStream_t stream;
} group;

} // namespace

struct emulator_nccl {
    int rank, size;
    part *parts;
    int64_t last;  /* exchange that was queued */
    int questions; /* left until the last call is settled */
    ncclUniqueId id;
    std::shared_ptr<bool> ended; /* what is still queued does nothing then */
};

static bool all_came(const emulator_nccl *comm, std::atomic<int64_t> part::*what,
                     int64_t number)
{
    for (int r = 0; r < comm->size; r++) {
        if ((comm->parts[r].*what).load() < number) {
            return false;
        }
    }
    return true;
}

/* Queues an exchange: `write` fills this rank's part, `read` takes from all parts. */
template <typename Write, typename Read>
static ncclResult_t exchange(ncclComm_t comm, cudaStream_t stream, size_t bytes, Write write,
                             Read read)
{
    emulator_lock lock;
    if (comm->questions > 0) {
        return ncclInvalidUsage;
    }
    if (bytes > PART_BYTES) {
        emulator_fail("an exchange of %zu bytes", bytes);
    }
    int64_t number = ++comm->last;
    comm->questions = QUESTIONS;
    emulator_enqueue_tries(stream, [=, ended = comm->ended, has_put = false]() mutable {
        if (*ended) {
            return true;
        }
        emulator_memory_open();
        part *own = &comm->parts[comm->rank];
        if (!has_put) {
            if (!all_came(comm, &part::taken, number - 1)) {
                return false;
            }
            write(own->content);
            own->put.store(number);
            has_put = true;
        }
        if (!all_came(comm, &part::put, number)) {
            return false;
        }
        read();
        own->taken.store(number);
        return true;
    });
    return ncclInProgress;
}

static size_t bytes_of(size_t count, ncclDataType_t type)
{
    return type == ncclFloat32 ? 4 * count : count;
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream)
{
    size_t bytes = bytes_of(count, type);
    return exchange(
        comm, stream, bytes, [=](unsigned char *content) { memcpy(content, from, bytes); },
        [=]() {
            for (int r = 0; r < comm->size; r++) {
                memcpy((unsigned char *)to + (size_t)r * bytes, comm->parts[r].content, bytes);
            }
        });
}

/* From the highest rank down: an order of its own, as NCCL has. */
ncclResult_t ncclReduceScatter(const void *from, void *to, size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream)
{
    if (type != ncclFloat32 || op != ncclSum) {
        return ncclInvalidArgument;
    }
    size_t bytes = bytes_of(count, type) * (size_t)comm->size;
    return exchange(
        comm, stream, bytes, [=](unsigned char *content) { memcpy(content, from, bytes); },
        [=]() {
            for (size_t i = 0; i < count; i++) {
                float sum = 0.0f;
                for (int r = comm->size - 1; r >= 0; r--) {
                    const float *values = (const float *)comm->parts[r].content;
                    float value = values[(size_t)comm->rank * count + i];
                    sum = r == comm->size - 1 ? value : sum + value;
                }
                ((float *)to)[i] = sum;
            }
        });
}

ncclResult_t ncclGroupStart(void)
{
    group = {true, {}, nullptr, nullptr};
    return ncclSuccess;
}

static ncclResult_t add(message what, ncclComm_t comm, cudaStream_t stream)
{
    if (!group.open) {
        emulator_fail("a message outside of a group");
    }
    group.messages.push_back(what);
    group.comm = comm;
    group.stream = stream;
    return ncclSuccess;
}

ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream)
{
    return add({true, (const unsigned char *)from, nullptr, bytes_of(count, type), peer}, comm,
               stream);
}

ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream)
{
    return add({false, nullptr, (unsigned char *)to, bytes_of(count, type), peer}, comm,
               stream);
}

/* One message of one size to and from every rank. */
ncclResult_t ncclGroupEnd(void)
{
    group.open = false;
    if (!group.comm) {
        return ncclSuccess;
    }
    ncclComm_t comm = group.comm;
    std::vector<message> messages = group.messages;
    size_t bytes = messages[0].bytes;
    for (const message &m : messages) {
        if (m.bytes != bytes || messages.size() != 2 * (size_t)comm->size) {
            emulator_fail("a group of messages that is no exchange among all");
        }
    }
    return exchange(
        comm, group.stream, bytes * (size_t)comm->size,
        [=](unsigned char *content) {
            for (const message &m : messages) {
                if (m.sends) {
                    memcpy(content + (size_t)m.peer * bytes, m.from, bytes);
                }
            }
        },
        [=]() {
            for (const message &m : messages) {
                if (!m.sends) {
                    memcpy(m.to, comm->parts[m.peer].content + (size_t)comm->rank * bytes,
                           bytes);
                }
            }
        });
}

ncclResult_t ncclGetVersion(int *version)
{
    *version = 22809;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    return result == ncclInvalidUsage ? "a call before the last one settled" : "emulated error";
}

const char *ncclGetLastError(ncclComm_t comm)
{
    (void)comm;
    return "";
}

/* The name of the memory that the ranks share. */
ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static int count;
    memset(id->internal, 0, sizeof id->internal);
    (void)snprintf(id->internal, sizeof id->internal, "/judo-emulated-nccl-%d-%d",
                   (int)getpid(), count++);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t *config)
{
    size_t bytes = (size_t)size * sizeof(part);
    if (config->blocking || rank < 0 || rank >= size) {
        return ncclInvalidArgument;
    }
    int file = shm_open(id.internal, O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, (off_t)bytes) != 0) {
        return ncclSystemError;
    }
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    if (memory == MAP_FAILED) {
        return ncclSystemError;
    }
    *out = new emulator_nccl{
        rank, size, (part *)memory, 0, QUESTIONS, id, std::make_shared<bool>(false)};
    (*out)->parts[rank].joined.store(1);
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state)
{
    bool formed = all_came(comm, &part::joined, 1);
    if (formed && comm->id.internal[0] && comm->rank == 0) {
        (void)shm_unlink(comm->id.internal); /* all have it */
        comm->id.internal[0] = '\0';
    }
    comm->questions -= comm->questions > 0 && formed ? 1 : 0;
    *state = comm->questions == 0 ? ncclSuccess : ncclInProgress;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    if (comm->questions > 0) {
        return ncclInvalidUsage;
    }
    comm->questions = QUESTIONS;
    return ncclInProgress;
}

static ncclResult_t end(ncclComm_t comm)
{
    emulator_lock lock;
    *comm->ended = true;
    (void)munmap(comm->parts, (size_t)comm->size * sizeof(part));
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
    return end(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    return end(comm);
}

ncclResult_t ncclMemAlloc(void **memory, size_t bytes)
{
    return cudaMalloc(memory, bytes) == cudaSuccess ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclMemFree(void *memory)
{
    return cudaFree(memory) == cudaSuccess ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommRegister(ncclComm_t comm, void *memory, size_t bytes, void **handle)
{
    emulator_lock lock;
    if (comm->questions > 0 || emulator_memory_at(memory, bytes) != EMULATOR_DEVICE) {
        return ncclInvalidUsage;
    }
    *handle = memory;
    return ncclSuccess;
}

ncclResult_t ncclCommDeregister(ncclComm_t comm, void *handle)
{
    (void)handle;
    return comm->questions > 0 ? ncclInvalidUsage : ncclSuccess;
}
