/* stages/sft.h: supervised fine-tuning, shared by stages 1 and 2. */
#ifndef JUDO_STAGES_SFT_H
#define JUDO_STAGES_SFT_H

#include "stages/stage.h"

double judo_sft_samples_per_step(const judo_train_config *config);
judo_status judo_sft_open(judo_job *job, void **state) JUDO_MUST_CHECK; /* collective */
judo_status judo_sft_accumulate(judo_job *job, void *state,
                                int64_t step) JUDO_MUST_CHECK; /* collective */
void judo_sft_close(judo_job *job, void **state);

#endif
