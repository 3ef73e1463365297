/* runtime/ops/cuda/attention_choice.h: which attention calls cuDNN may take, and how it is
 * found out, shape by shape, whether it does them right and twice alike. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_CHOICE_H
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_CHOICE_H

#include "runtime/ops/arguments.h"
#include "runtime/ops/cuda/cudnn_attention.h"

enum { JUDO_MOST_ATTENTION_SHAPES = 64, JUDO_LESSON_RUNS = 5 };

/* What JUDO_CUDNN_ATTENTION says. */
typedef enum judo_attention_mode {
    /* "auto", also where it is unset: cuDNN where its plan builds, its result agrees with ours
     * and repeats its bits. The answer depends on the shape, the library and the GPU, so that a
     * resumed run, and the other ranks of a job, come to the same. (A rank that had no memory
     * for a workspace stays with our kernel: its last bits differ, nothing else.) */
    JUDO_ATTENTION_AUTO,
    JUDO_ATTENTION_OFF, /* "off": our kernels only; a span's bits never depend on the others */
    /* "timed": and where it is faster here and now; a restart may choose otherwise. */
    JUDO_ATTENTION_TIMED,
} judo_attention_mode;

/* JUDO_ERROR_ARGUMENT for another word. */
judo_status judo_attention_switch(judo_attention_mode *mode, const char *text) JUDO_MUST_CHECK;

/* Whether the spans (which judo_attention_check passed) are for cuDNN: bf16, runs one after the
 * other, all causal or none, without a prefix, head dimensions of 64 to 128 in steps of 8, and
 * work enough to be worth a plan: not vision's windows, which fill half of a tile. Fills `out`.
 * A plan is for one shape and takes a second or two to build, so shapes are few: the runs, and
 * the longest of them, are rounded up (powers of two; quarters of one, at least 64), and runs
 * that are not just that are packed. */
bool judo_attention_suits_cudnn(judo_cudnn_shape *out, const judo_attention_shape *shape,
                                judo_dtype dtype, const judo_attention_span *spans,
                                int num_spans, bool backward);

/* The lists of judo_cudnn_call for packed runs, in one memory of judo_attention_lists_count
 * numbers, each on 16 bytes. Runs that the shape has and the spans have not are empty, behind
 * the last. */
typedef struct judo_attention_lists {
    const int32_t *lengths, *query_offsets, *key_offsets, *lse_offsets;
} judo_attention_lists;

int64_t judo_attention_lists_count(const judo_cudnn_shape *shape);
judo_attention_lists judo_attention_lists_in(const int32_t *memory,
                                             const judo_cudnn_shape *shape);
void judo_attention_lists_fill(int32_t *memory, const judo_cudnn_shape *shape,
                               const judo_attention_span *spans, int num_spans);

typedef enum judo_attention_choice_state {
    JUDO_ATTENTION_UNKNOWN,
    JUDO_ATTENTION_OURS,
    JUDO_ATTENTION_CUDNN,
} judo_attention_choice_state;

typedef struct judo_attention_choice {
    judo_cudnn_shape shape;
    judo_attention_choice_state state;
    judo_cudnn_plan *plan;          /* where the state is CUDNN */
    float our_ms, their_ms;         /* 0 where nothing was timed */
    char reason[JUDO_CUDNN_REASON]; /* why it is ours */
} judo_attention_choice;

/* What is known of a shape; a new entry where it was not seen yet; NULL when too many were. (A
 * shape's first call is not let pass unlearnt: a step calls it in each layer anyhow, and a
 * resumed run would be behind the whole one by a call.) */
judo_attention_choice *judo_attention_choice_of(const judo_cudnn_shape *shape);

/* What a lesson does. A status that is not OK is the op's; false is only cuDNN's failure, with
 * its reason. */
typedef struct judo_attention_lesson {
    /* The op by our kernel into the caller's outputs. */
    judo_status (*ours)(void *state);
    /* Whether there is something to compare: no output of ours is all zeros. */
    judo_status (*tells)(void *state, bool *something);
    /* Plan, and room for two results. */
    bool (*prepare)(void *state, char reason[JUDO_CUDNN_REASON]);
    /* The op by cuDNN into result 0 or 1. */
    bool (*theirs)(void *state, int result, char reason[JUDO_CUDNN_REASON]);
    /* Whether result 0 is the caller's outputs within the tolerance, and result 1 has the bits
     * of result 0. */
    judo_status (*compare)(void *state, bool *agree, bool *repeat);
    /* Milliseconds of one run; negative: it failed. */
    judo_status (*time)(void *state, bool theirs, float *milliseconds);
    /* The caller's outputs become result 0, so that a shape's first call has the bits of all
     * the others. */
    judo_status (*keep)(void *state);
} judo_attention_lesson;

/* Does the op of a shape of unknown choice, both ways, and settles the choice; `timed`: also by
 * which is faster. Where ours tells nothing, as without a gradient, the choice stays unknown.
 */
judo_status judo_attention_learn(judo_attention_choice *choice,
                                 const judo_attention_lesson *lesson, void *state,
                                 bool timed) JUDO_MUST_CHECK;

#endif
