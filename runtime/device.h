/* runtime/device.h: where tensors live and ops run: memory, copies, streams and events behind
 * one table, filled by the CPU (device_cpu.c) and by the CUDA module (device_module.h). */
#ifndef JUDO_RUNTIME_DEVICE_H
#define JUDO_RUNTIME_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/device_collectives.h"
#include "runtime/ops/ops.h"

/* A queue of work, done in its order. NULL is the device's own compute queue, on which its ops
 * run. On the CPU everything is done when the call returns. */
typedef struct judo_stream judo_stream;
/* A place in a queue that others can wait for. */
typedef struct judo_event judo_event;

/* A run of ops that is done again and again. */
typedef struct judo_replay judo_replay;

/* The largest that ops will be asked for in one call. */
typedef struct judo_device_work {
    int64_t rows, columns;       /* of activations */
    int64_t heads, head_dim;     /* of queries */
    int64_t targets, chunk_rows; /* of a loss; rows of logits at once */
    int64_t vocabulary;
    int64_t drawn_rows; /* that draw a token */
} judo_device_work;

typedef struct judo_device {
    const char *name;        /* "cpu" or "cuda" */
    const char *description; /* one line for the log: what it is and which versions */
    const judo_ops *ops;     /* work on tensors in this device's memory; for the thread that
                                opened the device, the rest is for any thread */
    bool separate;           /* its memory is not the host's: neither may follow the other's
                                pointers */

    /* Bytes that can still be taken and that there are. */
    judo_status (*memory)(int64_t *available, int64_t *total);
    /* Uninitialised memory of the device, at least 64-byte aligned; `bytes` may be 0. To be
     * called outside of a training step. release(NULL) is nothing. */
    judo_status (*allocate)(void **memory, int64_t bytes);
    void (*release)(void *memory);
    /* The same for host memory that copies run from and to at full speed, beside computing. */
    judo_status (*allocate_staging)(void **memory, int64_t bytes);
    void (*release_staging)(void *memory);

    /* May be missing. allocate_pool: as `allocate`, one large block that a pool deals out
     * (device_pool.h), of the kind that exchanges between ranks are fastest with. watch: a part
     * of such a block is taken, or the one that begins there is given back; for devices that
     * check what is used. allocations: how often the system was asked for memory so far, the
     * device's or staging, by anyone. library_bytes: what the libraries behind the device take
     * beside, estimated, with so many groups of ranks that exchange. */
    judo_status (*allocate_pool)(void **memory, int64_t bytes);
    void (*watch)(void *part, int64_t bytes, bool taken);
    int64_t (*allocations)(void);
    int64_t (*library_bytes)(int num_groups);

    /* Queues a copy between any two of: this device's memory, staging memory, other host
     * memory. Staging memory must stay as it is until the queue came past the copy; other host
     * memory may be used again when the call returns. */
    judo_status (*copy)(void *to, const void *from, int64_t bytes, judo_stream *stream);
    judo_status (*clear)(void *memory, int64_t bytes, judo_stream *stream);

    judo_status (*stream_create)(judo_stream **stream);
    void (*stream_destroy)(judo_stream *stream);
    /* The host waits until the queue is empty; failures of what was queued come out here. */
    judo_status (*stream_finish)(judo_stream *stream);

    judo_status (*event_create)(judo_event **event);
    void (*event_destroy)(judo_event *event);
    /* Marks the end of what is queued now. */
    judo_status (*event_record)(judo_event *event, judo_stream *stream);
    /* What is queued on `stream` from now on waits for the event; the host does not. */
    judo_status (*event_wait)(judo_event *event, judo_stream *stream);
    /* Whether the queue came past the event; true for one that was never recorded. */
    judo_status (*event_done)(judo_event *event, bool *done);

    /* All NULL, or all there. Ops between begin and end, and nothing else for this queue, may
     * be queued at once when they end; what they return to the host is not there before, so
     * only ops that return nothing. Their lists may differ each time. `whole`: no op failed.
     * Where `done` is false nothing was queued: the same ops are to be called again, outside.
     */
    judo_status (*replay_create)(judo_replay **replay);
    void (*replay_destroy)(judo_replay *replay);
    judo_status (*replay_begin)(judo_replay *replay);
    judo_status (*replay_end)(judo_replay *replay, bool whole, bool *done);

    /* May be missing. Without collectives, other ranks' devices are reached by the host. */
    const judo_device_collectives *collectives;
    const struct judo_device_rewards *rewards; /* rewards/device_rewards.h */

    /* What its ops take for themselves beside their tensors. Bytes for work up to `most`, and
     * taking them at once, so that no step allocates. Both NULL: nothing worth counting. */
    int64_t (*work_bytes)(const judo_device_work *most);
    judo_status (*reserve_work)(const judo_device_work *most);
} judo_device;

/* Choices of a configuration field. */
#define JUDO_DEVICE_CHOICES "auto|cpu|cuda"

typedef enum judo_device_choice {
    JUDO_DEVICE_AUTO, /* CUDA where it works, else the CPU */
    JUDO_DEVICE_CPU,
    JUDO_DEVICE_CUDA,
} judo_device_choice;

enum { JUDO_DEVICE_REASON = 512 };

typedef struct judo_device_request {
    judo_device_choice choice;
    int index;          /* which GPU of this machine, e.g. the rank's number on the node */
    const char *module; /* path of the CUDA module; NULL: libjudo_cuda.so beside the program, in
                           ../lib, then where the system looks */
} judo_device_request;

/* The CPU: memory of the heap, copies done at once. */
const judo_device *judo_device_cpu(void);

/* The device that the request means, for the rest of the process. With JUDO_DEVICE_AUTO,
 * `reason` (JUDO_DEVICE_REASON bytes, or NULL) receives why it is not CUDA, or ""; with
 * JUDO_DEVICE_CUDA that is the error (JUDO_ERROR_UNSUPPORTED: no module, no driver, no GPU;
 * JUDO_ERROR_MISMATCH: a module of another build). */
judo_status judo_device_open(const judo_device_request *request, const judo_device **device,
                             char *reason) JUDO_MUST_CHECK;

/* JUDO_ERROR_UNSUPPORTED naming the first empty slot of a device's table or of its ops. */
judo_status judo_device_check(const judo_device *device) JUDO_MUST_CHECK;

#endif
