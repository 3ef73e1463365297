/* tests/parity/filter/logits_head.h: judo's head and loss on given logits. */
#ifndef JUDO_TESTS_PARITY_FILTER_LOGITS_HEAD_H
#define JUDO_TESTS_PARITY_FILTER_LOGITS_HEAD_H

#include "runtime/json.h"
#include "runtime/ops/ops.h"

/* Rows of logits as the head sees them: hidden states behind an identity matrix. */
typedef struct logits_head {
    int32_t rows, vocabulary;
    judo_tensor logits, identity, gradient; /* [rows, V], [V, V], [rows, V] */
    int32_t *targets;                       /* [rows] */
    float *weights, *logprobs, *entropies;  /* [rows] */
    int32_t *sequences;                     /* [rows]: which of `lengths` a row belongs to */
} logits_head;

/* Numbers of a member, `count` of them; `*out` NULL when the member is null. Free it. */
judo_status logits_head_numbers(const judo_json *request, const char *key, const char *source,
                                int64_t count, float **out) JUDO_MUST_CHECK;

/* Reads "logits" [[..] ..], "targets" [..] and "lengths" [..], the rows of each sequence;
 * weights are left for the caller. Close also after a failure. */
judo_status logits_head_open(const judo_json *request, const char *source,
                             logits_head *out) JUDO_MUST_CHECK;
void logits_head_close(logits_head *head);

/* Runs the loss. With `backward` fills `gradient`. */
judo_status logits_head_run(logits_head *head, const judo_token_loss *loss, bool backward,
                            judo_token_result *result) JUDO_MUST_CHECK;

/* Puts an array of floats. */
void logits_head_put(judo_json_writer *answer, const char *key, const float *values,
                     int64_t count);

#endif
