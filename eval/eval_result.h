/* eval/eval_result.h: what one evaluation found: metrics.json, and the sample lines beside it.
 */
#ifndef JUDO_EVAL_EVAL_RESULT_H
#define JUDO_EVAL_EVAL_RESULT_H

#include "eval/mmad_score.h"
#include "rewards/reward_filter.h"
#include "runtime/json.h"

enum { JUDO_EVAL_NAME_BYTES = 128 };

typedef struct judo_eval_result {
    char title[JUDO_EVAL_NAME_BYTES]; /* of the model or stage: "Stages 1 + 2" */
    char model[1024];                 /* folder it was read from */
    char answer_mode[JUDO_EVAL_NAME_BYTES];
    bool official; /* unreadable answers are left out of the accuracies */
    int num_datasets;
    char datasets[JUDO_MMAD_MAX_DATASETS][JUDO_EVAL_NAME_BYTES];
    judo_mmad_counts counts;
    /* Means over the completions that have them; NaN: not measured. */
    double rewards[JUDO_NUM_REWARDS];
    double total_reward;
    double qa_loss;     /* mean negative log-likelihood per answer token (stage 2's data) */
    double mean_tokens; /* of a completion */
    double seconds;
} judo_eval_result;

/* Zeroes, with NaN for what is not measured. */
void judo_eval_result_clear(judo_eval_result *result);

/* metrics.json: the counts, and the accuracies and segmentation metrics computed from them. */
judo_status judo_eval_result_write(const char *path,
                                   const judo_eval_result *result) JUDO_MUST_CHECK;
/* Reads the counts back; accuracies in the file are not looked at. */
judo_status judo_eval_result_read(const char *path, judo_eval_result *result) JUDO_MUST_CHECK;

/* One line of samples.jsonl: a question, what the model said, and what it earned. */
typedef struct judo_eval_sample {
    const char *id, *dataset, *category, *subtask, *question;
    const char *const *options; /* by letter from 'A' on */
    int num_options;
    char answer, predicted; /* letters; predicted 0: unreadable */
    const char *completion;
    const judo_cells *gold_cells;      /* NULL: the sample has none */
    const judo_reward_values *rewards; /* NULL: not evaluated */
    const char *overlay;               /* picture, relative to the file's folder; NULL: none */
    const char *template_image;        /* likewise */
} judo_eval_sample;

/* Appends the line's object (without a newline) to an empty writer. */
judo_status judo_eval_sample_write(const judo_eval_sample *sample,
                                   judo_json_writer *writer) JUDO_MUST_CHECK;

#endif
