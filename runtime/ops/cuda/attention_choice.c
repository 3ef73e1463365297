/* runtime/ops/cuda/attention_choice.c: see attention_choice.h. */
#include "runtime/ops/cuda/attention_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_DIM = 64, MOST_DIM = 128, DIM_STEP = 8, MOST_BATCH = 32768 };

enum { LEAST_LENGTH = 65, LENGTH_STEP = 64, MOST_LENGTH = 65536 };

/* Products of a query and a key, times the dimension: below, the most that cuDNN can save in a
 * run's layers and steps is less than its plan takes to build. (Emulated tests have less.) */
#ifndef JUDO_LEAST_ATTENTION_WORK
#define JUDO_LEAST_ATTENTION_WORK 0x1p28
#endif

judo_status judo_attention_switch(judo_attention_mode *mode, const char *text)
{
    static const char *const words[] = {"auto", "off", "timed"}; /* as the enum has them */
    if (!text || !text[0]) {
        *mode = JUDO_ATTENTION_AUTO;
        return JUDO_OK;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, words[i]) == 0) {
            *mode = (judo_attention_mode)i;
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                     "JUDO_CUDNN_ATTENTION is \"%s\"; it can be auto (cuDNN where it gives our "
                     "result and repeats its bits), off or timed (and where it is faster)",
                     text);
}

/* --- shapes --- */

static int64_t power_up(int64_t count)
{
    int64_t power = 1;
    while (power < count) {
        power *= 2;
    }
    return power;
}

/* Up to the next quarter of a power of two, and a whole number of steps. */
static int64_t length_up(int64_t length)
{
    int64_t quarter = power_up(length + 1) / 8;
    int64_t step = quarter > LENGTH_STEP ? quarter : LENGTH_STEP;
    return (length + step - 1) / step * step;
}

/* Whether the spans are runs one after the other, all causal or none, without a prefix. */
static bool are_runs(const judo_attention_span *spans, int num_spans, int64_t tokens,
                     int64_t *longest, bool *equal)
{
    int64_t end = 0;
    *longest = 0;
    *equal = true;
    for (int i = 0; i < num_spans; i++) {
        const judo_attention_span *span = &spans[i];
        int64_t length = span->end - span->begin;
        if (span->begin != end || length < 1 || span->causal != spans[0].causal ||
            span->prefix_begin < span->prefix_end) {
            return false;
        }
        end = span->end;
        *equal = *equal && length == spans[0].end - spans[0].begin;
        *longest = length > *longest ? length : *longest;
    }
    return end == tokens;
}

bool judo_attention_suits_cudnn(judo_cudnn_shape *out, const judo_attention_shape *shape,
                                judo_dtype dtype, const judo_attention_span *spans,
                                int num_spans, bool backward)
{
    int64_t longest = 0;
    bool equal = false;
    if (dtype != JUDO_BF16 || shape->dim < LEAST_DIM || shape->dim > MOST_DIM ||
        shape->dim % DIM_STEP != 0 || num_spans < 1 || num_spans > MOST_BATCH ||
        !are_runs(spans, num_spans, shape->tokens, &longest, &equal) ||
        longest < LEAST_LENGTH || longest > MOST_LENGTH ||
        shape->tokens > INT32_MAX / ((int64_t)shape->query_heads * shape->dim)) {
        return false;
    }
    judo_cudnn_shape found = {.batch = power_up(num_spans),
                              .length = length_up(longest),
                              .query_heads = shape->query_heads,
                              .key_heads = shape->key_heads,
                              .dim = shape->dim,
                              .backward = backward,
                              .causal = spans[0].causal};
    found.packed = !equal || found.batch != num_spans || found.length != longest;
    double work = (double)(found.batch * found.length) * (double)found.length *
                  (double)found.query_heads * (double)found.dim;
    if (work < JUDO_LEAST_ATTENTION_WORK) {
        return false;
    }
    *out = found;
    return true;
}

/* Of each list, on 16 bytes. */
static int64_t list_count(const judo_cudnn_shape *shape)
{
    return (shape->batch + 1 + 3) / 4 * 4;
}

int64_t judo_attention_lists_count(const judo_cudnn_shape *shape)
{
    return 4 * list_count(shape);
}

judo_attention_lists judo_attention_lists_in(const int32_t *memory,
                                             const judo_cudnn_shape *shape)
{
    int64_t count = list_count(shape);
    return (judo_attention_lists){.lengths = memory,
                                  .query_offsets = memory + count,
                                  .key_offsets = memory + 2 * count,
                                  .lse_offsets = memory + 3 * count};
}

void judo_attention_lists_fill(int32_t *memory, const judo_cudnn_shape *shape,
                               const judo_attention_span *spans, int num_spans)
{
    int64_t count = list_count(shape);
    int32_t tokens = spans[num_spans - 1].end;
    for (int64_t i = 0; i < count; i++) {
        int32_t begin = i < num_spans ? spans[i].begin : tokens;
        memory[i] = i < num_spans ? spans[i].end - begin : 0;
        memory[count + i] = begin * shape->query_heads * shape->dim;
        memory[2 * count + i] = begin * shape->key_heads * shape->dim;
        memory[3 * count + i] = begin * shape->query_heads;
    }
}

static bool same_shape(const judo_cudnn_shape *a, const judo_cudnn_shape *b)
{
    return a->batch == b->batch && a->length == b->length && a->query_heads == b->query_heads &&
           a->key_heads == b->key_heads && a->dim == b->dim && a->backward == b->backward &&
           a->causal == b->causal && a->packed == b->packed;
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
                                 const judo_attention_lesson *lesson, void *state, bool timed)
{
    bool agree = false;
    bool repeat = false;
    bool failed = false;
    bool something = false;
    JUDO_TRY(lesson->ours(state));
    JUDO_TRY(lesson->tells(state, &something));
    if (!something) {
        return JUDO_OK;
    }
    if (!lesson->prepare(state, choice->reason) || !lesson->theirs(state, 0, choice->reason) ||
        !lesson->theirs(state, 1, choice->reason)) {
        return decline(choice, NULL);
    }
    JUDO_TRY(lesson->compare(state, &agree, &repeat));
    if (!agree || !repeat) {
        return decline(choice, agree ? "two runs of cuDNN gave different bits"
                                     : "cuDNN's result is not ours");
    }
    if (timed) {
        JUDO_TRY(time_both(choice, lesson, state, &failed));
        if (failed || !(choice->their_ms < choice->our_ms)) {
            return decline(choice, failed ? "a timed run failed" : "cuDNN is not faster");
        }
    }
    JUDO_TRY(lesson->keep(state));
    choice->state = JUDO_ATTENTION_CUDNN;
    return JUDO_OK;
}
