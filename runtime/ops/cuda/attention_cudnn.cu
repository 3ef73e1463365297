/* runtime/ops/cuda/attention_cudnn.cu: attention by cuDNN where it was found to be right, to
 * repeat its bits and to be faster; else by our kernels. A lesson (attention_choice.h) does a
 * shape's first call both ways. Causal spans and prefixes are never given to cuDNN. */
#include "runtime/ops/cuda/attention.cuh"
#include "runtime/ops/cuda/replay.cuh"

#include <stdio.h>
#include <stdlib.h>

extern "C" {
#include "runtime/ops/cuda/attention_choice.h"
}

/* Of cuDNN's plans; those that need more are not taken. */
static const int64_t WORKSPACE = (int64_t)64 << 20;

static struct {
    bool open, report;
} cudnn;

judo_status judo_cuda_attention_open(char *description, size_t size)
{
    char reason[JUDO_CUDNN_REASON] = "";
    bool wanted = false;
    JUDO_TRY(judo_attention_switch(&wanted, getenv("JUDO_CUDNN_ATTENTION")));
    const char *report = getenv("JUDO_CUDNN_REPORT");
    cudnn.report = report && strcmp(report, "1") == 0;
    cudnn.open = wanted && judo_cudnn_open(reason);
    if (cudnn.open) {
        (void)snprintf(description, size, "cuDNN %lld for vision",
                       (long long)judo_cudnn_version());
    } else {
        (void)snprintf(description, size, "no cuDNN: %s",
                       wanted ? reason : "JUDO_CUDNN_ATTENTION=vision asks for it");
    }
    return JUDO_OK;
}

int64_t judo_cuda_attention_bytes(void)
{
    return cudnn.open ? WORKSPACE : 0;
}

/* --- a lesson's results --- */

/* What the lesson finds, on the device. */
typedef struct findings {
    uint32_t largest[3]; /* of the magnitudes of each part of ours, as bits */
    uint32_t wrong, changed;
} findings;

typedef struct part {
    void *ours, *theirs[2];
    int64_t count;
    judo_dtype dtype;
} part;

typedef struct lesson_state {
    attention_call *call;
    judo_cudnn_shape shape;
    judo_cudnn_plan *plan;
    char *memory; /* both results and the findings */
    void *workspace;
    findings *found;
    part parts[3];
    int num_parts;
    char last[JUDO_CUDNN_REASON];
} lesson_state;

template <typename T>
static __global__ void find_largest(uint32_t *largest, const T *ours, int64_t count)
{
    int64_t i = thread_number();
    float value = i < count ? fabsf(read(ours, i)) : 0.0f;
    value = join_warp<highest_of>(value);
    if (threadIdx.x % JUDO_CUDA_WARP == 0) {
        atomicMax(largest, __float_as_uint(value));
    }
}

/* bf16: both round weights and results to 8 bits, so that an element is wrong beyond 2^-6 of
 * itself and 2^-7 of the part's largest. fp32 is the log-sum-exp: 10^-3 and 10^-5 of itself.
 * Not a number is wrong, and nothing is learnt from zeros. */
template <typename T>
static __global__ void compare_parts(findings *found, int number, const T *ours, const T *first,
                                     const T *second, int64_t count)
{
    int64_t i = thread_number();
    if (i >= count) {
        return;
    }
    float largest = __uint_as_float(found->largest[number]);
    float wanted = read(ours, i);
    float got = read(first, i);
    float again = read(second, i);
    bool narrow = sizeof(T) == sizeof(bf16);
    float allowed =
        narrow ? 0x1p-6f * fabsf(wanted) + 0x1p-7f * largest : 1e-3f + 1e-5f * fabsf(wanted);
    if (!(fabsf(got - wanted) <= allowed) || !(largest > 0.0f)) {
        atomicAdd(&found->wrong, 1u);
    }
    if (__float_as_uint(got) != __float_as_uint(again)) {
        atomicAdd(&found->changed, 1u);
    }
}

template <typename T> static void launch_comparison(const lesson_state *state, int number)
{
    const part *p = &state->parts[number];
    unsigned blocks = judo_cuda_blocks(p->count);
    judo_cuda_launch(find_largest<T>, blocks, JUDO_CUDA_THREADS, 0,
                     &state->found->largest[number], (const T *)p->ours, p->count);
    judo_cuda_launch(compare_parts<T>, blocks, JUDO_CUDA_THREADS, 0, state->found, number,
                     (const T *)p->ours, (const T *)p->theirs[0], (const T *)p->theirs[1],
                     p->count);
}

static int64_t bytes_of(const part *p)
{
    return p->count * (p->dtype == JUDO_BF16 ? (int64_t)sizeof(bf16) : (int64_t)sizeof(float));
}

static void add_part(lesson_state *state, void *ours, int64_t heads, int64_t width,
                     judo_dtype dtype)
{
    part *p = &state->parts[state->num_parts++];
    p->ours = ours;
    p->count = state->shape.batch * state->shape.length * heads * width;
    p->dtype = dtype;
}

static void list_parts(lesson_state *state)
{
    const attention_arguments *args = &state->call->args;
    int64_t dim = args->dim;
    if (state->shape.backward) {
        add_part(state, args->dq, args->query_heads, dim, JUDO_BF16);
        add_part(state, args->dk, args->key_heads, dim, JUDO_BF16);
        add_part(state, args->dv, args->key_heads, dim, JUDO_BF16);
    } else {
        add_part(state, args->out, args->query_heads, dim, JUDO_BF16);
        add_part(state, args->lse, args->query_heads, 1, JUDO_F32);
    }
}

static bool take_memory(lesson_state *state, char *reason)
{
    int64_t bytes = judo_cuda_aligned(sizeof(findings));
    for (int i = 0; i < state->num_parts; i++) {
        bytes += 2 * judo_cuda_aligned(bytes_of(&state->parts[i]));
    }
    cudaError_t error = cudaMalloc((void **)&state->memory, (size_t)bytes);
    if (error != cudaSuccess) {
        (void)cudaGetLastError();
        (void)snprintf(reason, JUDO_CUDNN_REASON, "no memory to compare results: %s",
                       cudaGetErrorString(error));
        state->memory = NULL;
        return false;
    }
    char *at = state->memory;
    state->found = (findings *)at;
    at += judo_cuda_aligned(sizeof(findings));
    for (int i = 0; i < state->num_parts; i++) {
        for (int result = 0; result < 2; result++) {
            state->parts[i].theirs[result] = at;
            at += judo_cuda_aligned(bytes_of(&state->parts[i]));
        }
    }
    return true;
}

/* --- a call by cuDNN --- */

static judo_cudnn_call call_of(const attention_arguments *args, void *workspace)
{
    judo_cudnn_call call = {};
    call.q = args->q;
    call.k = args->k;
    call.v = args->v;
    call.out = args->out;
    call.lse = args->lse;
    call.dout = args->dout;
    call.dq = args->dq;
    call.dk = args->dk;
    call.dv = args->dv;
    call.workspace = workspace;
    call.scale = args->scale;
    return call;
}

static bool run(judo_cudnn_plan *plan, const judo_cudnn_call *call, char *reason)
{
    bool done = judo_cudnn_plan_run(plan, call, judo_cuda.stream, reason);
    if (!done) {
        (void)cudaGetLastError();
    }
    return done;
}

/* cuDNN was told that tensors lie on 16 bytes; a lesson reads inputs after it wrote outputs. */
static bool is_plain(const attention_arguments *args, bool backward)
{
    const void *const in[] = {args->q, args->k, args->v, args->dout,
                              backward ? args->out : NULL};
    const void *const out[] = {backward ? NULL : args->out, args->dq, args->dk, args->dv};
    uintptr_t address = (uintptr_t)args->lse;
    for (const void *to : out) {
        address |= (uintptr_t)to;
        for (const void *from : in) {
            address |= (uintptr_t)from;
            if (to && to == from) {
                return false;
            }
        }
    }
    return address % 16 == 0;
}

/* --- the lesson's steps --- */

static judo_status do_ours(void *memory)
{
    lesson_state *state = (lesson_state *)memory;
    return state->call->ours(state->call);
}

static bool prepare(void *memory, char *reason)
{
    lesson_state *state = (lesson_state *)memory;
    if (judo_cuda_scratch(&state->workspace, JUDO_CUDA_SCRATCH_ATTENTION, WORKSPACE) !=
        JUDO_OK) {
        (void)snprintf(reason, JUDO_CUDNN_REASON, "no memory for a workspace");
        return false;
    }
    list_parts(state);
    state->plan = judo_cudnn_plan_create(&state->shape, WORKSPACE, NULL, reason);
    (void)cudaGetLastError();
    return state->plan && take_memory(state, reason);
}

static bool do_theirs(void *memory, int result, char *reason)
{
    lesson_state *state = (lesson_state *)memory;
    judo_cudnn_call call = call_of(&state->call->args, state->workspace);
    if (state->shape.backward) {
        call.dq = state->parts[0].theirs[result];
        call.dk = state->parts[1].theirs[result];
        call.dv = state->parts[2].theirs[result];
    } else {
        call.out = state->parts[0].theirs[result];
        call.lse = state->parts[1].theirs[result];
    }
    return run(state->plan, &call, reason);
}

static judo_status compare(void *memory, bool *agree, bool *repeat)
{
    lesson_state *state = (lesson_state *)memory;
    findings found;
    JUDO_CUDA_TRY(cudaMemsetAsync(state->found, 0, sizeof found, judo_cuda.stream));
    for (int i = 0; i < state->num_parts; i++) {
        JUDO_CUDA_FOR_DTYPE(state->parts[i].dtype, launch_comparison, state, i);
        JUDO_TRY(judo_cuda_launched("attention: comparison with cuDNN"));
    }
    JUDO_TRY(judo_cuda_fetch(&found, state->found, sizeof found));
    *agree = found.wrong == 0;
    *repeat = found.changed == 0;
    return JUDO_OK;
}

static judo_status time_run(void *memory, bool theirs, float *milliseconds)
{
    lesson_state *state = (lesson_state *)memory;
    cudaEvent_t events[2] = {NULL, NULL};
    bool done = true;
    JUDO_CUDA_TRY(cudaEventCreate(&events[0]));
    judo_status status = judo_cuda_check(cudaEventCreate(&events[1]), "cudaEventCreate");
    if (status == JUDO_OK) {
        (void)cudaEventRecord(events[0], judo_cuda.stream);
        if (theirs) {
            done = do_theirs(state, 0, state->last);
        } else {
            status = do_ours(state);
        }
        (void)cudaEventRecord(events[1], judo_cuda.stream);
    }
    if (status == JUDO_OK) {
        status = judo_cuda_check(cudaEventSynchronize(events[1]), "attention: a timed run");
    }
    if (status == JUDO_OK) {
        status = judo_cuda_check(cudaEventElapsedTime(milliseconds, events[0], events[1]),
                                 "cudaEventElapsedTime");
    }
    *milliseconds = done ? *milliseconds : -1.0f;
    (void)cudaEventDestroy(events[0]);
    (void)cudaEventDestroy(events[1]);
    return status;
}

static judo_status keep(void *memory)
{
    lesson_state *state = (lesson_state *)memory;
    for (int i = 0; i < state->num_parts; i++) {
        const part *p = &state->parts[i];
        JUDO_CUDA_TRY(cudaMemcpyAsync(p->ours, p->theirs[0], (size_t)bytes_of(p),
                                      cudaMemcpyDeviceToDevice, judo_cuda.stream));
    }
    JUDO_CUDA_TRY(cudaStreamSynchronize(judo_cuda.stream)); /* the results are given back */
    return JUDO_OK;
}

static void report(const judo_attention_choice *choice)
{
    const judo_cudnn_shape *shape = &choice->shape;
    if (cudnn.report) {
        (void)fprintf(stderr,
                      "attention %s, %lld runs of %lld, heads %d/%d of %d: %s%s "
                      "(ours %.3f ms, cuDNN %.3f ms)\n",
                      shape->backward ? "backward" : "forward", (long long)shape->batch,
                      (long long)shape->length, shape->query_heads, shape->key_heads,
                      shape->dim,
                      choice->state == JUDO_ATTENTION_CUDNN ? "cuDNN" : "our kernel, ",
                      choice->reason, (double)choice->our_ms, (double)choice->their_ms);
    }
}

static judo_status learn(judo_attention_choice *choice, attention_call *call)
{
    static const judo_attention_lesson lesson = {do_ours, prepare,  do_theirs,
                                                 compare, time_run, keep};
    lesson_state state = {};
    state.call = call;
    state.shape = choice->shape;
    judo_status status = judo_attention_learn(choice, &lesson, &state);
    (void)cudaStreamSynchronize(judo_cuda.stream); /* cuDNN may still write a result */
    (void)cudaFree(state.memory);
    if (status == JUDO_OK && choice->state == JUDO_ATTENTION_CUDNN) {
        choice->plan = state.plan;
    } else {
        judo_cudnn_plan_destroy(state.plan);
    }
    if (status == JUDO_OK) {
        report(choice);
    }
    return status;
}

judo_status judo_cuda_attention_choose(attention_call *call)
{
    judo_cudnn_shape shape;
    judo_attention_choice *choice = NULL;
    /* What cuDNN queues, no graph of ops (replay.cuh) would know of. */
    if (cudnn.open && judo_cuda_replay_phase() == JUDO_CUDA_PLAIN &&
        judo_attention_suits_cudnn(&shape, &call->shape, call->dtype, call->spans,
                                   call->num_spans, call->backward) &&
        is_plain(&call->args, call->backward)) {
        choice = judo_attention_choice_of(&shape);
    }
    if (!choice || choice->state == JUDO_ATTENTION_OURS) {
        return call->ours(call);
    }
    if (choice->state == JUDO_ATTENTION_UNKNOWN) {
        return learn(choice, call);
    }
    void *workspace = NULL;
    JUDO_TRY(judo_cuda_scratch(&workspace, JUDO_CUDA_SCRATCH_ATTENTION, WORKSPACE));
    judo_cudnn_call work = call_of(&call->args, workspace);
    if (run(choice->plan, &work, choice->reason)) {
        return JUDO_OK;
    }
    choice->state = JUDO_ATTENTION_OURS;
    judo_cudnn_plan_destroy(choice->plan);
    choice->plan = NULL;
    report(choice);
    return call->ours(call);
}
