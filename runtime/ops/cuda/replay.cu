/* runtime/ops/cuda/replay.cu: see replay.cuh. A run of ops is first done plainly, so that
 * memory has grown and algorithms are chosen; the next time it becomes a graph, which is
 * launched from then on after a comparison on the host. Its lists go to one place, by one copy
 * before the launch, so that the graph holds none. */
#include "runtime/ops/cuda/replay.cuh"

#include <stdlib.h>

enum { MOST_CAPTURES = 4, WORTH_A_CAPTURE = 8, LEAST_LISTS = 1 << 16, PLACES = 64 };

/* What a run of ops queues, byte for byte. */
typedef struct step_script {
    char *bytes;
    size_t length, capacity;
} step_script;

struct judo_replay {
    bool seen;             /* done once, plainly */
    int captures;          /* since the last graph that was worth it */
    int launches;          /* of the graph */
    cudaGraphExec_t graph; /* NULL: none */
    step_script script;    /* of the graph */
};

/* The run of ops between begin and end. */
static struct {
    judo_cuda_phase phase;
    size_t read; /* of the script, while comparing */
    judo_replay *replay;
} current;

/* Lists of the run: page-locked memory and its mirror on the device, both the same for every
 * graph, filled from the front by each run; `left`: behind the last copy. */
static struct {
    char *host, *device;
    int64_t capacity, used;
    cudaEvent_t left;

    struct {
        const void *from;
        int64_t offset, bytes;
    } places[PLACES];

    int num_places;
} lists;

judo_cuda_phase judo_cuda_replay_phase(void)
{
    return current.phase;
}

static void append(step_script *s, const void *piece, size_t bytes)
{
    if (bytes > s->capacity - s->length) {
        size_t capacity = 2 * (s->capacity + bytes) + 4096;
        char *grown = (char *)realloc(s->bytes, capacity);
        if (!grown) {
            current.phase = JUDO_CUDA_BROKEN;
            return;
        }
        s->bytes = grown;
        s->capacity = capacity;
    }
    memcpy(s->bytes + s->length, piece, bytes);
    s->length += bytes;
}

void judo_cuda_replay_note(const void *piece, size_t bytes)
{
    step_script *s = &current.replay->script;
    if (current.phase == JUDO_CUDA_CAPTURING) {
        append(s, piece, bytes);
    } else if (current.phase == JUDO_CUDA_COMPARING) {
        if (bytes > s->length - current.read ||
            memcmp(s->bytes + current.read, piece, bytes) != 0) {
            current.phase = JUDO_CUDA_BROKEN;
            return;
        }
        current.read += bytes;
    }
}

bool judo_cuda_replay_yields(void)
{
    if (current.phase != JUDO_CUDA_PLAIN) {
        current.phase = JUDO_CUDA_BROKEN;
    }
    return current.phase == JUDO_CUDA_PLAIN;
}

/* Layer after layer brings the same list from the same place; lists that are alike by chance
 * must stand apart, or they would not have room when they differ. -1: none. */
static int64_t find_list(const void *host, int64_t bytes)
{
    for (int i = 0; i < lists.num_places; i++) {
        if (lists.places[i].from == host && lists.places[i].bytes == bytes &&
            memcmp(lists.host + lists.places[i].offset, host, (size_t)bytes) == 0) {
            return lists.places[i].offset;
        }
    }
    return -1;
}

const void *judo_cuda_replay_put(const void *host, int64_t bytes)
{
    int64_t offset = bytes > 0 ? find_list(host, bytes) : 0;
    if (offset >= 0) {
        return lists.device + offset;
    }
    offset = lists.used;
    lists.used += judo_cuda_aligned(bytes);
    if (lists.used > lists.capacity) { /* the next run finds more */
        current.phase = JUDO_CUDA_BROKEN;
        return lists.device;
    }
    memcpy(lists.host + offset, host, (size_t)bytes);
    if (lists.num_places < PLACES) {
        lists.places[lists.num_places].from = host;
        lists.places[lists.num_places].offset = offset;
        lists.places[lists.num_places].bytes = bytes;
        lists.num_places++;
    }
    return lists.device + offset;
}

/* Room for what the last run had or lacked; its copy has left the memory. Graphs that know the
 * old place will be found to differ. */
static judo_status empty_lists(void)
{
    if (!lists.left) {
        JUDO_CUDA_TRY(cudaEventCreateWithFlags(&lists.left, cudaEventDisableTiming));
    }
    /* Not the run of ops behind that copy: it may last while the next one is prepared. */
    JUDO_CUDA_TRY(cudaEventSynchronize(lists.left));
    if (lists.used > lists.capacity || lists.capacity == 0) {
        const int64_t least = LEAST_LISTS;
        int64_t capacity = lists.used > least ? lists.used : least;
        JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream));
        JUDO_CUDA_TRY(cudaFreeHost(lists.host));
        lists.host = NULL;
        lists.capacity = 0;
        JUDO_CUDA_TRY(cudaFree(lists.device));
        lists.device = NULL;
        JUDO_TRY(judo_cuda_take_pinned((void **)&lists.host, capacity));
        JUDO_TRY(judo_cuda_take((void **)&lists.device, capacity));
        lists.capacity = capacity;
    }
    lists.used = 0;
    lists.num_places = 0;
    return JUDO_OK;
}

static void forget_graph(judo_replay *replay)
{
    if (replay->graph) {
        (void)cudaGraphExecDestroy(replay->graph); /* one that runs ends first */
    }
    if (replay->launches >= WORTH_A_CAPTURE) {
        replay->captures = 0;
    }
    replay->launches = 0;
    replay->graph = NULL;
    replay->script.length = 0;
}

judo_status judo_cuda_replay_create(judo_replay **replay)
{
    judo_replay *made = (judo_replay *)calloc(1, sizeof *made);
    if (!made) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "cuda: no memory for a run of ops");
    }
    *replay = made;
    return JUDO_OK;
}

void judo_cuda_replay_destroy(judo_replay *replay)
{
    if (replay) {
        forget_graph(replay);
        free(replay->script.bytes);
        free(replay);
    }
}

judo_status judo_cuda_replay_begin(judo_replay *replay)
{
    if (current.replay) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "cuda: a run of ops begins inside another");
    }
    judo_cuda_phase phase = JUDO_CUDA_PLAIN;
    if (replay->graph) {
        JUDO_TRY(empty_lists());
        phase = JUDO_CUDA_COMPARING;
    } else if (replay->seen && replay->captures < MOST_CAPTURES) {
        JUDO_TRY(empty_lists());
        JUDO_CUDA_TRY(
            cudaStreamBeginCapture(judo_cuda.stream, cudaStreamCaptureModeThreadLocal));
        replay->captures++;
        phase = JUDO_CUDA_CAPTURING;
    }
    replay->seen = true;
    current.replay = replay;
    current.phase = phase;
    current.read = 0;
    return JUDO_OK;
}

static judo_status launch(cudaGraphExec_t graph)
{
    if (lists.used > 0) {
        JUDO_CUDA_TRY(cudaMemcpyAsync(lists.device, lists.host, (size_t)lists.used,
                                      cudaMemcpyHostToDevice, judo_cuda.stream));
        JUDO_CUDA_TRY(cudaEventRecord(lists.left, judo_cuda.stream));
    }
    JUDO_CUDA_TRY(cudaGraphLaunch(graph, judo_cuda.stream));
    return JUDO_OK;
}

/* The stream is itself again in any case; no graph where one cannot be had. */
static void end_capture(judo_replay *replay, bool keep)
{
    cudaGraph_t graph = NULL;
    bool got = cudaStreamEndCapture(judo_cuda.stream, &graph) == cudaSuccess;
    if (!got || !keep || cudaGraphInstantiate(&replay->graph, graph, 0) != cudaSuccess) {
        replay->graph = NULL;
        forget_graph(replay);
        (void)cudaGetLastError();
    }
    if (graph) {
        (void)cudaGraphDestroy(graph);
    }
}

judo_status judo_cuda_replay_end(judo_replay *replay, bool whole, bool *done)
{
    judo_cuda_phase phase = current.phase;
    bool captured = replay->graph == NULL && phase != JUDO_CUDA_PLAIN;
    bool same = phase != JUDO_CUDA_COMPARING || current.read == replay->script.length;
    current.phase = JUDO_CUDA_PLAIN;
    current.replay = NULL;
    if (phase == JUDO_CUDA_PLAIN) {
        *done = whole;
        return JUDO_OK;
    }
    bool keep = whole && same && phase != JUDO_CUDA_BROKEN;
    if (captured) {
        end_capture(replay, keep);
    } else if (!keep) {
        forget_graph(replay);
    }
    if (replay->graph) {
        JUDO_TRY(launch(replay->graph));
        replay->launches++;
    }
    *done = replay->graph != NULL;
    return JUDO_OK;
}
