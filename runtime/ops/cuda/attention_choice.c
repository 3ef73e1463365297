/* runtime/ops/cuda/attention_choice.c: see attention_choice.h. */
#include "runtime/ops/cuda/attention_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_DIM = 64, MOST_DIM = 128, DIM_STEP = 8, MOST_BATCH = 65535 };

judo_status judo_attention_switch(bool *vision, const char *text)
{
    bool wanted = text && strcmp(text, "vision") == 0;
    if (text && text[0] && !wanted && strcmp(text, "off") != 0) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "JUDO_CUDNN_ATTENTION is \"%s\"; it can be off or vision (causal "
                         "spans are done by judo's own kernels)",
                         text);
    }
    *vision = wanted;
    return JUDO_OK;
}

bool judo_attention_suits_cudnn(judo_cudnn_shape *out, const judo_attention_shape *shape,
                                judo_dtype dtype, const judo_attention_span *spans,
                                int num_spans, bool backward)
{
    if (dtype != JUDO_BF16 || shape->dim < LEAST_DIM || shape->dim > MOST_DIM ||
        shape->dim % DIM_STEP != 0 || num_spans < 1 || num_spans > MOST_BATCH) {
        return false;
    }
    int64_t length = shape->tokens / num_spans;
    if (length < 2 || length * num_spans != shape->tokens) {
        return false; /* cuDNN takes no run of one token */
    }
    for (int i = 0; i < num_spans; i++) {
        const judo_attention_span *span = &spans[i];
        if (span->causal || span->prefix_begin < span->prefix_end ||
            span->begin != i * length || span->end != (i + 1) * length) {
            return false;
        }
    }
    *out = (judo_cudnn_shape){.batch = num_spans,
                              .length = length,
                              .query_heads = shape->query_heads,
                              .key_heads = shape->key_heads,
                              .dim = shape->dim,
                              .backward = backward};
    return true;
}

static bool same_shape(const judo_cudnn_shape *a, const judo_cudnn_shape *b)
{
    return a->batch == b->batch && a->length == b->length && a->query_heads == b->query_heads &&
           a->key_heads == b->key_heads && a->dim == b->dim && a->backward == b->backward;
}

judo_attention_choice *judo_attention_choice_of(const judo_cudnn_shape *shape)
{
    static judo_attention_choice choices[JUDO_MOST_ATTENTION_SHAPES];
    static int count;
    for (int i = 0; i < count; i++) {
        if (same_shape(&choices[i].shape, shape)) {
            return &choices[i];
        }
    }
    if (count == JUDO_MOST_ATTENTION_SHAPES) {
        return NULL;
    }
    choices[count].shape = *shape;
    return &choices[count++];
}

static int compare_times(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The medians of a few runs, one of ours and one of cuDNN's in turn. */
static judo_status time_both(judo_attention_choice *choice, const judo_attention_lesson *lesson,
                             void *state, bool *failed)
{
    float times[2][JUDO_LESSON_RUNS];
    *failed = false;
    for (int run = 0; run < JUDO_LESSON_RUNS; run++) {
        for (int who = 0; who < 2; who++) {
            JUDO_TRY(lesson->time(state, who == 1, &times[who][run]));
            *failed = *failed || !(times[who][run] >= 0.0f);
        }
    }
    for (int who = 0; who < 2; who++) {
        qsort(times[who], JUDO_LESSON_RUNS, sizeof times[who][0], compare_times);
    }
    choice->our_ms = times[0][JUDO_LESSON_RUNS / 2];
    choice->their_ms = times[1][JUDO_LESSON_RUNS / 2];
    return JUDO_OK;
}

static judo_status decline(judo_attention_choice *choice, const char *reason)
{
    choice->state = JUDO_ATTENTION_OURS;
    if (reason) {
        (void)snprintf(choice->reason, sizeof choice->reason, "%s", reason);
    }
    return JUDO_OK;
}

judo_status judo_attention_learn(judo_attention_choice *choice,
                                 const judo_attention_lesson *lesson, void *state)
{
    bool agree = false;
    bool repeat = false;
    bool failed = false;
    JUDO_TRY(lesson->ours(state));
    if (!lesson->prepare(state, choice->reason) || !lesson->theirs(state, 0, choice->reason) ||
        !lesson->theirs(state, 1, choice->reason)) {
        return decline(choice, NULL);
    }
    JUDO_TRY(lesson->compare(state, &agree, &repeat));
    if (!agree || !repeat) {
        return decline(choice, agree ? "two runs of cuDNN gave different bits"
                                     : "cuDNN's result is not ours");
    }
    JUDO_TRY(time_both(choice, lesson, state, &failed));
    if (failed || !(choice->their_ms < choice->our_ms)) {
        return decline(choice, failed ? "a timed run failed" : "cuDNN is not faster");
    }
    JUDO_TRY(lesson->keep(state));
    choice->state = JUDO_ATTENTION_CUDNN;
    return JUDO_OK;
}
