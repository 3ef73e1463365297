/* eval/evaluate_state.h: what the parts of an evaluation share. */
#ifndef JUDO_EVAL_EVALUATE_STATE_H
#define JUDO_EVAL_EVALUATE_STATE_H

#include "data/batch_builder.h"
#include "data/buffers.h"
#include "eval/evaluate.h"

/* Sums of this rank. */
typedef struct judo_evaluate_sums {
    double rewards[JUDO_NUM_REWARDS], scored[JUDO_NUM_REWARDS];
    double total, questions;    /* rewards of questions alone */
    double completions, tokens; /* of every kind */
    double scored_on_device;    /* of completions of every kind */
    double qa_loss, qa_tokens;
} judo_evaluate_sums;

typedef struct judo_evaluate_state {
    judo_evaluation *evaluation;
    judo_eval_result *result;
    judo_batch_builder *builder;
    judo_generation generation; /* of `batch` rows */
    judo_evaluate_sums sums;
    judo_text lines;        /* this rank's part of samples.jsonl */
    bool cells_from_choice; /* the dataset has no segmentation samples: questions count for the
                               cells */
} judo_evaluate_state;

/* One completed sample. */
typedef struct judo_evaluate_answer {
    const judo_sample *sample;
    const char *completion;
    size_t length;
    const judo_reward_values *values;
    char predicted;    /* letter or 0 */
    bool with_picture; /* draw the overlay */
} judo_evaluate_answer;

/* Appends the answer's line to the state's lines and draws its overlay. Not collective. */
judo_status judo_evaluate_record(judo_evaluate_state *state,
                                 const judo_evaluate_answer *answer) JUDO_MUST_CHECK;

/* Completes and scores one kind of samples (questions, segmentation). Not collective. */
judo_status judo_evaluate_completions(judo_evaluate_state *state, judo_sample_kind kind,
                                      const int64_t *indices, int64_t count) JUDO_MUST_CHECK;

/* The loss of the domain answers. Not collective. */
judo_status judo_evaluate_domain_loss(judo_evaluate_state *state, const int64_t *indices,
                                      int64_t count) JUDO_MUST_CHECK;

#endif
