/* eval/evaluate.h: what a model makes of a packed dataset: completions of questions and
 * segmentation requests, and the loss on domain answers. Samples are dealt to the ranks in
 * turn; the model is whole in each. */
#ifndef JUDO_EVAL_EVALUATE_H
#define JUDO_EVAL_EVALUATE_H

#include "data/sample_text.h"
#include "eval/answer.h"
#include "eval/eval_result.h"
#include "models/generate.h"
#include "parallel/comm.h"
#include "rewards/score.h"

typedef struct judo_evaluation {
    judo_comm *comm;
    judo_model *model;
    judo_params *params; /* whole */
    judo_sample_text text;
    judo_special_ids specials;
    const judo_dataset *dataset;
    const uint8_t *banned;
    judo_reward_rules rules;
    const judo_embedder *embedder; /* NULL: no domain reward */
    judo_device_scorer *scorer;    /* NULL: the host scores */
    judo_answer_mode answer_mode;
    int64_t limit; /* samples of each kind; 0: all */
    int64_t batch; /* prompts completed at once */
    int64_t max_new_tokens;
    int64_t num_examples; /* samples drawn as pictures, spread over the dataset */
    const char *folder;   /* where samples.jsonl and overlays/ go */
} judo_evaluation;

/* Evaluates and fills the counts, rewards and losses of `result` with the sums over all ranks;
 * rank 0 writes samples.jsonl. Collective: all ranks return the same status. */
judo_status judo_evaluate(judo_evaluation *evaluation,
                          judo_eval_result *result) JUDO_MUST_CHECK;

#endif
