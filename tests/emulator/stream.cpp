/* tests/emulator/stream.cpp: see stream.h. */
#include "tests/emulator/stream.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "tests/emulator/memory.h"

/* A place in a queue, from when it is recorded on. */
struct marker {
    emulator_stream *stream;
    bool passed;
};

struct emulator_event {
    std::shared_ptr<marker> last; /* of its records; NULL: never recorded */
};

struct emulator_stream {
    int device;
    std::deque<std::function<bool()>> queue; /* work, and whether it is done */
};

namespace
{

std::recursive_mutex mutex;
std::set<emulator_stream *> streams;
cudaError_t last_error = cudaSuccess;
std::map<std::thread::id, int> current_devices;
std::map<const void *, int> launch_memory_limits; /* by kernel */

bool option(const char *word)
{
    const char *options = getenv("JUDO_EMULATOR");
    return options && strstr(options, word);
}

/* Tries the oldest work of a stream. */
bool do_one(emulator_stream *stream)
{
    bool done = stream->queue.front()();
    if (done) {
        stream->queue.pop_front();
    }
    return done;
}

/* Until there is nothing left, or until what `event` marks has passed. Kernels open device
 * memory; it is closed again before the host goes on. */
void drain(emulator_stream *stream, cudaEvent_t event = nullptr)
{
    time_t began = time(nullptr);
    while (!stream->queue.empty() && !(event && event->last->passed)) {
        if (!do_one(stream) && sched_yield() == 0 && time(nullptr) - began > 60) {
            emulator_fail("a minute of waiting for another process");
        }
    }
    emulator_memory_close();
}

bool known(cudaStream_t stream)
{
    return streams.count(stream) > 0;
}

} // namespace

bool emulator_is_stream(cudaStream_t stream)
{
    return known(stream);
}

emulator_lock::emulator_lock()
{
    mutex.lock();
}

emulator_lock::~emulator_lock()
{
    mutex.unlock();
}

cudaError_t emulator_note(cudaError_t error)
{
    last_error = error == cudaSuccess ? last_error : error;
    return error;
}

cudaError_t cudaGetLastError(void)
{
    emulator_lock lock;
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaSetDevice(int device)
{
    emulator_lock lock;
    int count = 0;
    (void)cudaGetDeviceCount(&count);
    if (device < 0 || device >= count) {
        return emulator_note(cudaErrorInvalidDevice);
    }
    current_devices[std::this_thread::get_id()] = device;
    return cudaSuccess;
}

int emulator_current_device(void)
{
    return current_devices[std::this_thread::get_id()];
}

void emulator_enqueue(cudaStream_t stream, std::function<void()> work)
{
    emulator_work *captured = emulator_captured(stream);
    if (captured) {
        captured->push_back(std::move(work));
        return;
    }
    emulator_enqueue_tries(stream, [work = std::move(work)]() {
        work();
        return true;
    });
}

void emulator_enqueue_tries(cudaStream_t stream, std::function<bool()> work)
{
    if (!known(stream)) {
        emulator_fail("work for a stream that is not there; judo uses no default stream");
    }
    if (emulator_captured(stream)) {
        emulator_fail("events and collectives in a graph are not emulated");
    }
    stream->queue.push_back(std::move(work));
    if (option("eager")) {
        drain(stream);
    }
}

void emulator_finish_all(void)
{
    for (emulator_stream *stream : streams) {
        drain(stream);
    }
}

static cudaError_t check_shape(const emulator_shape *shape)
{
    const dim3 grid = shape->grid;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
        grid.z > 65535 || shape->threads < 1 || shape->threads > EMULATOR_MOST_THREADS) {
        return cudaErrorInvalidConfiguration;
    }
    auto limit = launch_memory_limits.find(shape->kernel);
    size_t most =
        limit == launch_memory_limits.end() ? (size_t)EMULATOR_SHARED : (size_t)limit->second;
    return shape->shared_bytes > most ? cudaErrorInvalidValue : cudaSuccess;
}

void emulator_launch(const emulator_shape &shape, cudaStream_t stream,
                     std::function<void()> thread)
{
    emulator_lock lock;
    if (!known(stream) || stream->device != emulator_current_device()) {
        (void)emulator_note(cudaErrorInvalidResourceHandle);
    } else if (emulator_note(check_shape(&shape)) == cudaSuccess) {
        bool backward = option("backward");
        emulator_enqueue(stream, [shape, backward, thread = std::move(thread)]() {
            emulator_memory_open();
            emulator_run_grid(&shape, thread, backward);
        });
    }
}

cudaError_t emulator_set_attribute(const void *kernel, enum cudaFuncAttribute attribute,
                                   int value)
{
    emulator_lock lock;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        value > EMULATOR_MOST_SHARED) {
        return emulator_note(cudaErrorInvalidValue);
    }
    launch_memory_limits[kernel] = value > EMULATOR_SHARED ? value : (int)EMULATOR_SHARED;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    emulator_lock lock;
    if (flags != cudaStreamNonBlocking) {
        emulator_fail("a stream with flags %#x is not emulated", flags);
    }
    *stream = new emulator_stream{emulator_current_device(), {}};
    streams.insert(*stream);
    return cudaSuccess;
}

/* CUDA lets what is queued be done; here it is done now. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    emulator_lock lock;
    if (!known(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    drain(stream);
    streams.erase(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    emulator_lock lock;
    if (!known(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    bool captured = emulator_spoils_capture_of(stream);
    if (emulator_spoils_capture() || captured) {
        return emulator_note(cudaErrorStreamCaptureUnsupported);
    }
    drain(stream);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    emulator_lock lock;
    if (flags != cudaEventDisableTiming) {
        emulator_fail("an event with flags %#x is not emulated", flags);
    }
    *event = new emulator_event;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDisableTiming);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to)
{
    emulator_lock lock;
    if (!from->last || !from->last->passed || !to->last || !to->last->passed) {
        return emulator_note(cudaErrorNotReady);
    }
    *milliseconds = 1.0f;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    emulator_lock lock;
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    emulator_lock lock;
    if (!known(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    std::shared_ptr<marker> place(new marker{stream, false});
    event->last = place;
    emulator_enqueue_tries(stream, [place]() {
        place->passed = true;
        return true;
    });
    return cudaSuccess;
}

/* Waits for the last record before this call. */
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    emulator_lock lock;
    if (flags != 0 || !known(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    std::shared_ptr<marker> place = event->last;
    emulator_enqueue_tries(stream, [place]() {
        if (place && !place->passed) {
            (void)do_one(place->stream);
        }
        return !place || place->passed;
    });
    return cudaSuccess;
}

/* Every question lets the GPU do one piece of work. */
cudaError_t cudaEventQuery(cudaEvent_t event)
{
    emulator_lock lock;
    if (emulator_spoils_capture()) {
        return emulator_note(cudaErrorStreamCaptureUnsupported);
    }
    if (!event->last || event->last->passed) {
        return cudaSuccess;
    }
    (void)do_one(event->last->stream);
    emulator_memory_close();
    return emulator_note(event->last->passed ? cudaSuccess : cudaErrorNotReady);
}

/* Work behind the event stays where it is. */
cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    emulator_lock lock;
    if (emulator_spoils_capture()) {
        return emulator_note(cudaErrorStreamCaptureUnsupported);
    }
    if (event->last && !event->last->passed) {
        drain(event->last->stream, event);
    }
    return cudaSuccess;
}
