/* models/sequence_ratio.h: the log-ratio of whole sequences, GSPO's importance (Zheng et al.
 * 2025, eq. 7). */
#ifndef JUDO_MODELS_SEQUENCE_RATIO_H
#define JUDO_MODELS_SEQUENCE_RATIO_H

#include <stdint.h>

/* log_ratios[i]: the mean of logprobs - old_logprobs over the targets with the same
 * sequences[i]. A sequence's targets lie together, as in a judo_batch. All arrays
 * [num_targets]; summed in double, in order. */
void judo_sequence_log_ratios(int32_t num_targets, const int32_t *sequences,
                              const float *logprobs, const float *old_logprobs,
                              float *log_ratios);

#endif
