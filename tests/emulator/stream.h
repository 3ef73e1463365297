/* tests/emulator/stream.h: queues of work for the emulated GPU. Work is done as late as CUDA
 * allows: when the host waits for it or asks about it. JUDO_EMULATOR=eager in the environment
 * does it at once, JUDO_EMULATOR=backward runs blocks and threads in the opposite order. */
#ifndef JUDO_TESTS_EMULATOR_STREAM_H
#define JUDO_TESTS_EMULATOR_STREAM_H

#include <functional>
#include <vector>

#include <cuda_runtime.h>

#include "tests/emulator/block.h"

/* Keeps the emulated GPU to one host thread at a time. */
class emulator_lock
{
  public:
    emulator_lock();
    ~emulator_lock();
    emulator_lock(const emulator_lock &) = delete;
    emulator_lock &operator=(const emulator_lock &) = delete;
};

/* What cudaGetLastError will say. */
cudaError_t emulator_note(cudaError_t error);

/* The GPU that the calling host thread has chosen. */
int emulator_current_device(void);

/* Queues work; what it needs must be copied into it. */
void emulator_enqueue(cudaStream_t stream, std::function<void()> work);
/* Work that other processes have a part in: it is tried until it returns true. */
void emulator_enqueue_tries(cudaStream_t stream, std::function<bool()> work);

/* --- graphs (graph.cpp): work that is kept while a stream is captured --- */

typedef std::vector<std::function<void()>> emulator_work;

bool emulator_is_stream(cudaStream_t stream);
/* Where the stream's work goes instead of its queue; NULL: nowhere else. */
emulator_work *emulator_captured(cudaStream_t stream);
/* A call that a capturing thread must not make, for any stream of the thread, or for one: true
 * where it is captured; its graph is then lost. */
bool emulator_spoils_capture(void);
bool emulator_spoils_capture_of(cudaStream_t stream);

/* Does everything that is queued anywhere. */
void emulator_finish_all(void);

/* A kernel; a shape that a GPU refuses is an error as there. */
void emulator_launch(const emulator_shape &shape, cudaStream_t stream,
                     std::function<void()> thread);

#endif
