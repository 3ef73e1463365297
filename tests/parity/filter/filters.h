/* tests/parity/filter/filters.h: the commands of judo_parity. */
#ifndef JUDO_TESTS_PARITY_FILTER_FILTERS_H
#define JUDO_TESTS_PARITY_FILTER_FILTERS_H

#include "launch/tool.h"

extern const judo_tool judo_parity_advantages;
extern const judo_tool judo_parity_generate;
extern const judo_tool judo_parity_gradients;
extern const judo_tool judo_parity_labels;
extern const judo_tool judo_parity_layout;
extern const judo_tool judo_parity_patch_positions;
extern const judo_tool judo_parity_patches;
extern const judo_tool judo_parity_policy_loss;
extern const judo_tool judo_parity_resize;
extern const judo_tool judo_parity_sample;
extern const judo_tool judo_parity_save;
extern const judo_tool judo_parity_sft_loss;
extern const judo_tool judo_parity_token_positions;
extern const judo_tool judo_parity_train;

/* A command without options but --input. */
judo_status judo_parity_run(int argc, char **argv, judo_filter_answer answer) JUDO_MUST_CHECK;

/* Single answers, for the golden tests. */
judo_status judo_parity_advantages_answer(void *context, const judo_json *request,
                                          const char *source,
                                          judo_json_writer *answer) JUDO_MUST_CHECK;
judo_status judo_parity_policy_loss_answer(void *context, const judo_json *request,
                                           const char *source,
                                           judo_json_writer *answer) JUDO_MUST_CHECK;
judo_status judo_parity_sft_loss_answer(void *context, const judo_json *request,
                                        const char *source,
                                        judo_json_writer *answer) JUDO_MUST_CHECK;

#endif
