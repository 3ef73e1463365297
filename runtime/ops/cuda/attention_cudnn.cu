/* runtime/ops/cuda/attention_cudnn.cu: attention by cuDNN where it was found to be right and to
 * repeat its bits; else by our kernels. */
#include "runtime/ops/cuda/attention_cudnn.cuh"
#include "runtime/ops/cuda/replay.cuh"

#include <stdio.h>
#include <stdlib.h>

static struct {
    bool open, report;
    judo_attention_mode mode;
    int64_t workspace; /* bytes */
} cudnn;

/* For a plan and, while it is new, two results. The backward pass in its deterministic form
 * keeps the gradient of all scores, in bf16: 252 MiB for a run of 2048 tokens and 28 heads. So
 * that the choice is the same at every start, this does not depend on what is free. */
static judo_status find_workspace(void)
{
    const int64_t part = 128;
    const int64_t most = (int64_t)1 << 30;
    size_t free_bytes = 0;
    size_t total = 0;
    JUDO_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total));
    cudnn.workspace = (int64_t)total / part < most ? (int64_t)total / part : most;
    return JUDO_OK;
}

judo_status judo_cuda_attention_open(char *description, size_t size)
{
    char reason[JUDO_CUDNN_REASON] = "JUDO_CUDNN_ATTENTION=off";
    JUDO_TRY(judo_attention_switch(&cudnn.mode, getenv("JUDO_CUDNN_ATTENTION")));
    const char *report = getenv("JUDO_CUDNN_REPORT");
    cudnn.report = report && strcmp(report, "1") == 0;
    cudnn.open = cudnn.mode != JUDO_ATTENTION_OFF && judo_cudnn_open(reason);
    if (!cudnn.open) {
        (void)snprintf(description, size, "no cuDNN: %s", reason);
        return JUDO_OK;
    }
    (void)snprintf(description, size, "cuDNN %lld for attention%s",
                   (long long)judo_cudnn_version(),
                   cudnn.mode == JUDO_ATTENTION_TIMED ? " where it is faster" : "");
    return find_workspace();
}

int64_t judo_cuda_attention_bytes(void)
{
    return cudnn.open ? cudnn.workspace : 0;
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

static judo_status send_lists(judo_cudnn_call *to, const attention_call *call,
                              const judo_cudnn_shape *shape)
{
    void *memory = NULL;
    int64_t bytes = judo_attention_lists_count(shape) * (int64_t)sizeof(int32_t);
    JUDO_TRY(judo_cuda_host_scratch(&memory, bytes));
    judo_attention_lists_fill((int32_t *)memory, shape, call->spans, call->num_spans);
    JUDO_TRY(judo_cuda_lists_open(judo_cuda_aligned(bytes)));
    judo_attention_lists lists =
        judo_attention_lists_in((const int32_t *)judo_cuda_lists_put(memory, bytes), shape);
    to->lengths = lists.lengths;
    to->query_offsets = lists.query_offsets;
    to->key_offsets = lists.key_offsets;
    to->lse_offsets = lists.lse_offsets;
    return judo_cuda_lists_send();
}

bool judo_cuda_attention_by_cudnn(const attention_call *call, const judo_cudnn_shape *shape,
                                  judo_cudnn_plan *plan, char reason[JUDO_CUDNN_REASON])
{
    void *workspace = NULL;
    if (judo_cuda_scratch(&workspace, JUDO_CUDA_SCRATCH_ATTENTION, cudnn.workspace) !=
        JUDO_OK) {
        (void)cudaGetLastError();
        (void)snprintf(reason, JUDO_CUDNN_REASON, "no memory for a workspace");
        return false;
    }
    judo_cudnn_call work = call_of(&call->args, workspace);
    if (shape->packed && send_lists(&work, call, shape) != JUDO_OK) {
        (void)cudaGetLastError();
        (void)snprintf(reason, JUDO_CUDNN_REASON, "the lists of runs were not sent");
        return false;
    }
    bool done = judo_cudnn_plan_run(plan, &work, judo_cuda.stream, reason);
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

static void report(const judo_attention_choice *choice)
{
    const judo_cudnn_shape *shape = &choice->shape;
    if (cudnn.report && choice->state != JUDO_ATTENTION_UNKNOWN) {
        (void)fprintf(stderr,
                      "attention %s, %lld %s%s of %lld, heads %d/%d of %d: %s%s "
                      "(ours %.3f ms, cuDNN %.3f ms)\n",
                      shape->backward ? "backward" : "forward", (long long)shape->batch,
                      shape->causal ? "causal " : "", shape->packed ? "packed runs" : "runs",
                      (long long)shape->length, shape->query_heads, shape->key_heads,
                      shape->dim,
                      choice->state == JUDO_ATTENTION_CUDNN ? "cuDNN" : "our kernel, ",
                      choice->reason, (double)choice->our_ms, (double)choice->their_ms);
    }
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
        JUDO_TRY(judo_cuda_attention_learn(choice, call, cudnn.workspace,
                                           cudnn.mode == JUDO_ATTENTION_TIMED));
        report(choice);
        return JUDO_OK;
    }
    if (judo_cuda_attention_by_cudnn(call, &shape, choice->plan, choice->reason)) {
        return JUDO_OK;
    }
    choice->state = JUDO_ATTENTION_OURS;
    judo_cudnn_plan_destroy(choice->plan);
    choice->plan = NULL;
    report(choice);
    return call->ours(call);
}
