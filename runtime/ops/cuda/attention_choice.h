/* runtime/ops/cuda/attention_choice.h: which attention calls cuDNN may take, and how it is
 * found out, shape by shape, whether it does them right, twice alike, and faster. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_CHOICE_H
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_CHOICE_H

#include "runtime/ops/arguments.h"
#include "runtime/ops/cuda/cudnn_attention.h"

enum { JUDO_MOST_ATTENTION_SHAPES = 64, JUDO_LESSON_RUNS = 5 };

/* What JUDO_CUDNN_ATTENTION says: "vision": spans that see themselves wholly, or "off" (also
 * where it is unset: the choice is made per shape and by timing, so that the same picture may
 * have other bits in a larger batch, on another rank or behind a restart). JUDO_ERROR_ARGUMENT
 * for anything else. */
judo_status judo_attention_switch(bool *vision, const char *text) JUDO_MUST_CHECK;

/* Whether the spans (which judo_attention_check passed) are a batch for cuDNN: bf16, runs of
 * equal length one after the other, not causal, without a prefix, head dimensions of 64 to 128
 * in steps of 8. Fills `out`. */
bool judo_attention_suits_cudnn(judo_cudnn_shape *out, const judo_attention_shape *shape,
                                judo_dtype dtype, const judo_attention_span *spans,
                                int num_spans, bool backward);

typedef enum judo_attention_choice_state {
    JUDO_ATTENTION_UNKNOWN,
    JUDO_ATTENTION_OURS,
    JUDO_ATTENTION_CUDNN,
} judo_attention_choice_state;

typedef struct judo_attention_choice {
    judo_cudnn_shape shape;
    judo_attention_choice_state state;
    judo_cudnn_plan *plan; /* where the state is CUDNN */
    float our_ms, their_ms;
    char reason[JUDO_CUDNN_REASON]; /* why it is ours */
} judo_attention_choice;

/* What is known of a shape; a new entry where it was not seen yet; NULL when too many were. */
judo_attention_choice *judo_attention_choice_of(const judo_cudnn_shape *shape);

/* What a lesson does. A status that is not OK is the op's; false is only cuDNN's failure, with
 * its reason. */
typedef struct judo_attention_lesson {
    /* The op by our kernel into the caller's outputs. */
    judo_status (*ours)(void *state);
    /* Plan and memory for two results. */
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

/* Does the op of a shape of unknown choice, both ways, and settles the choice. */
judo_status judo_attention_learn(judo_attention_choice *choice,
                                 const judo_attention_lesson *lesson,
                                 void *state) JUDO_MUST_CHECK;

#endif
