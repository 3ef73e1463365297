/* runtime/ops/cuda/attention_cudnn_lesson.cu: a shape's first call, done both ways: see
 * attention_choice.h. */
#include "runtime/ops/cuda/attention_cudnn.cuh"

#include <stdio.h>

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
    char *memory;    /* for the plan's workspace, and both results behind it */
    int64_t most;    /* bytes of it */
    findings *found; /* in the workspace, between cuDNN's runs */
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
 * Not a number is wrong. */
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
    if (!(fabsf(got - wanted) <= allowed)) {
        atomicAdd(&found->wrong, 1u);
    }
    if (__float_as_uint(got) != __float_as_uint(again)) {
        atomicAdd(&found->changed, 1u);
    }
}

template <typename T> static void launch_largest(const lesson_state *state, int number)
{
    const part *p = &state->parts[number];
    judo_cuda_launch(find_largest<T>, judo_cuda_blocks(p->count), JUDO_CUDA_THREADS, 0,
                     &state->found->largest[number], (const T *)p->ours, p->count);
}

template <typename T> static void launch_comparison(const lesson_state *state, int number)
{
    const part *p = &state->parts[number];
    judo_cuda_launch(compare_parts<T>, judo_cuda_blocks(p->count), JUDO_CUDA_THREADS, 0,
                     state->found, number, (const T *)p->ours, (const T *)p->theirs[0],
                     (const T *)p->theirs[1], p->count);
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
    p->count = state->call->shape.tokens * heads * width;
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

/* Of both results: for as many tokens as the shape may have, so that what is left for the plan
 * depends on the shape alone. */
static int64_t result_bytes(const lesson_state *state)
{
    int64_t tokens = state->call->shape.tokens;
    int64_t most = state->shape.batch * state->shape.length;
    int64_t bytes = 0;
    for (int i = 0; i < state->num_parts; i++) {
        bytes += 2 * judo_cuda_aligned(bytes_of(&state->parts[i]) / tokens * most);
    }
    return bytes;
}

static void place_results(lesson_state *state)
{
    char *at = state->memory + judo_cuda_aligned(judo_cudnn_plan_bytes(state->plan));
    for (int i = 0; i < state->num_parts; i++) {
        for (int result = 0; result < 2; result++) {
            state->parts[i].theirs[result] = at;
            at += judo_cuda_aligned(bytes_of(&state->parts[i]));
        }
    }
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
    int64_t room = (state->most - result_bytes(state)) / 256 * 256; /* as judo_cuda_aligned */
    state->plan = judo_cudnn_plan_create(&state->shape, room, NULL, reason);
    (void)cudaGetLastError();
    if (state->plan) {
        place_results(state);
    }
    return state->plan != NULL;
}

static bool do_theirs(void *memory, int result, char *reason)
{
    lesson_state *state = (lesson_state *)memory;
    attention_call call = *state->call;
    if (state->shape.backward) {
        call.args.dq = state->parts[0].theirs[result];
        call.args.dk = state->parts[1].theirs[result];
        call.args.dv = state->parts[2].theirs[result];
    } else {
        call.args.out = state->parts[0].theirs[result];
        call.args.lse = (float *)state->parts[1].theirs[result];
    }
    return judo_cuda_attention_by_cudnn(&call, &state->shape, state->plan, reason);
}

/* The largest of each part of ours; nothing else is found yet. */
static judo_status measure(const lesson_state *state)
{
    JUDO_CUDA_TRY(cudaMemsetAsync(state->found, 0, sizeof(findings), judo_cuda.stream));
    for (int i = 0; i < state->num_parts; i++) {
        JUDO_CUDA_FOR_DTYPE(state->parts[i].dtype, launch_largest, state, i);
        JUDO_TRY(judo_cuda_launched("attention: comparison with cuDNN"));
    }
    return JUDO_OK;
}

static judo_status tells(void *memory, bool *something)
{
    lesson_state *state = (lesson_state *)memory;
    findings found;
    *something = true;
    list_parts(state);
    JUDO_TRY(measure(state));
    JUDO_TRY(judo_cuda_fetch(&found, state->found, sizeof found));
    for (int i = 0; i < state->num_parts; i++) {
        *something = *something && found.largest[i] > 0;
    }
    return JUDO_OK;
}

static judo_status compare(void *memory, bool *agree, bool *repeat)
{
    lesson_state *state = (lesson_state *)memory;
    findings found;
    JUDO_TRY(measure(state));
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
                                      cudaMemcpyDefault, judo_cuda.stream));
    }
    return JUDO_OK;
}

judo_status judo_cuda_attention_learn(judo_attention_choice *choice, attention_call *call,
                                      int64_t most, bool timed)
{
    static const judo_attention_lesson lesson = {do_ours, tells,    prepare, do_theirs,
                                                 compare, time_run, keep};
    lesson_state state = {};
    state.call = call;
    state.shape = choice->shape;
    state.most = most;
    void *workspace = NULL;
    if (judo_cuda_scratch(&workspace, JUDO_CUDA_SCRATCH_ATTENTION, most) != JUDO_OK) {
        (void)cudaGetLastError();
        (void)snprintf(choice->reason, sizeof choice->reason, "no memory for a workspace");
        choice->state = JUDO_ATTENTION_OURS;
        return call->ours(call);
    }
    state.memory = (char *)workspace;
    state.found = (findings *)workspace;
    judo_status status = judo_attention_learn(choice, &lesson, &state, timed);
    (void)cudaStreamSynchronize(judo_cuda.stream); /* cuDNN may still write a result */
    if (status == JUDO_OK && choice->state == JUDO_ATTENTION_CUDNN) {
        choice->plan = state.plan;
    } else {
        judo_cudnn_plan_destroy(state.plan);
    }
    return status;
}
