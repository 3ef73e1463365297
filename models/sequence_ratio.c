/* models/sequence_ratio.c: means over runs of targets. */
#include "models/sequence_ratio.h"

void judo_sequence_log_ratios(int32_t num_targets, const int32_t *sequences,
                              const float *logprobs, const float *old_logprobs,
                              float *log_ratios)
{
    for (int32_t first = 0, end = 0; first < num_targets; first = end) {
        double sum = 0;
        for (end = first; end < num_targets && sequences[end] == sequences[first]; end++) {
            sum += (double)logprobs[end] - (double)old_logprobs[end];
        }
        float mean = (float)(sum / (end - first));
        for (int32_t i = first; i < end; i++) {
            log_ratios[i] = mean;
        }
    }
}
