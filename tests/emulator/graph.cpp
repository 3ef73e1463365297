/* tests/emulator/graph.cpp: streams captured into graphs: what would be queued is kept, and a
 * launch queues it all, with the arguments that it had. */
#include <map>
#include <memory>
#include <thread>

#include "tests/emulator/stream.h"

struct emulator_graph {
    emulator_work work;
};

struct emulator_executable {
    std::shared_ptr<const emulator_work> work;
};

namespace
{

struct capture {
    std::thread::id thread;
    bool spoiled;
    emulator_work work;
};

std::map<cudaStream_t, capture> captures;
int launches;

} // namespace

/* For tests: how many graphs were launched in this process. */
extern "C" __attribute__((visibility("default"))) int judo_emulator_graph_launches(void)
{
    emulator_lock lock;
    return launches;
}

emulator_work *emulator_captured(cudaStream_t stream)
{
    auto found = captures.find(stream);
    return found == captures.end() ? nullptr : &found->second.work;
}

bool emulator_spoils_capture(void)
{
    bool any = false;
    for (auto &entry : captures) {
        if (entry.second.thread == std::this_thread::get_id()) {
            entry.second.spoiled = true;
            any = true;
        }
    }
    return any;
}

bool emulator_spoils_capture_of(cudaStream_t stream)
{
    auto found = captures.find(stream);
    if (found != captures.end()) {
        found->second.spoiled = true;
    }
    return found != captures.end();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    emulator_lock lock;
    if (mode != cudaStreamCaptureModeThreadLocal) {
        emulator_fail("a capture of mode %d is not emulated", (int)mode);
    }
    if (!emulator_is_stream(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    if (emulator_spoils_capture_of(stream)) {
        return emulator_note(cudaErrorInvalidValue);
    }
    captures[stream] = {std::this_thread::get_id(), false, {}};
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    emulator_lock lock;
    auto found = captures.find(stream);
    *graph = nullptr;
    if (found == captures.end() || found->second.thread != std::this_thread::get_id()) {
        return emulator_note(cudaErrorInvalidValue);
    }
    bool spoiled = found->second.spoiled;
    if (!spoiled) {
        *graph = new emulator_graph{std::move(found->second.work)};
    }
    captures.erase(found);
    return spoiled ? emulator_note(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph,
                                 unsigned long long flags)
{
    if (flags != 0) {
        emulator_fail("a graph with flags %#llx is not emulated", flags);
    }
    *executable = new emulator_executable{std::make_shared<emulator_work>(graph->work)};
    return cudaSuccess;
}

/* One piece of work in the queue: a graph that is destroyed meanwhile is still done. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream)
{
    emulator_lock lock;
    if (!emulator_is_stream(stream) || emulator_captured(stream)) {
        return emulator_note(cudaErrorInvalidResourceHandle);
    }
    launches++;
    emulator_enqueue(stream, [work = executable->work]() {
        for (const std::function<void()> &one : *work) {
            one();
        }
    });
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    delete executable;
    return cudaSuccess;
}
