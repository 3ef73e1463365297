/* runtime/ops/cuda/replay.cuh: a run of ops queued as one CUDA graph: what the helpers that
 * queue, and the way of lists, ask about it. Between judo_replay_begin and _end (device.h) ops
 * either go into a graph, or are only compared with it. */
#ifndef JUDO_RUNTIME_OPS_CUDA_REPLAY_CUH
#define JUDO_RUNTIME_OPS_CUDA_REPLAY_CUH

#include "runtime/ops/cuda/cuda.h"

typedef enum judo_cuda_phase {
    JUDO_CUDA_PLAIN,     /* what is queued is queued */
    JUDO_CUDA_CAPTURING, /* it becomes a part of a graph, and is written down */
    JUDO_CUDA_COMPARING, /* nothing is queued: is it what was written down? */
    JUDO_CUDA_BROKEN,    /* nothing is queued: the run of ops will be done again, plainly */
} judo_cuda_phase;

judo_cuda_phase judo_cuda_replay_phase(void);

/* A piece of the description of what is to be queued. */
void judo_cuda_replay_note(const void *piece, size_t bytes);

/* The bytes between members are anything; they say nothing. */
template <typename Piece> static inline void judo_cuda_note(Piece piece)
{
    __builtin_clear_padding(&piece);
    judo_cuda_replay_note(&piece, sizeof piece);
}

/* Describes what is to be queued, all that it depends on; whether to queue it. */
template <typename... Pieces> static inline bool judo_cuda_queues(const Pieces &...pieces)
{
    if (judo_cuda_replay_phase() != JUDO_CUDA_PLAIN) {
        (judo_cuda_note(pieces), ...);
    }
    return judo_cuda_replay_phase() <= JUDO_CUDA_CAPTURING;
}

/* Before the host waits for the queue or memory changes hands: whether it may. Where it may
 * not, the run of ops is done again. */
bool judo_cuda_replay_yields(void);

/* What judo_cuda_lists_put does, for a run of ops. */
const void *judo_cuda_replay_put(const void *host, int64_t bytes);

/* The slots of the device table. */
judo_status judo_cuda_replay_create(judo_replay **replay);
void judo_cuda_replay_destroy(judo_replay *replay);
judo_status judo_cuda_replay_begin(judo_replay *replay);
judo_status judo_cuda_replay_end(judo_replay *replay, bool whole, bool *done);

#endif
