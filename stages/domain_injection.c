/* stages/domain_injection.c: stage 2. A normal image and a question of the domain in; the
 * answer out. */
#include "stages/sft.h"

const judo_stage judo_stage_domain_injection = {
    .name = "domain_injection",
    .summary = "stage 2: answer questions drawn from domain knowledge",
    .kind = JUDO_SAMPLE_DOMAIN_QA,
    .samples_per_step = judo_sft_samples_per_step,
    .open = judo_sft_open,
    .accumulate = judo_sft_accumulate,
    .close = judo_sft_close,
};
