/* stages/juxtaposed_segmentation.c: stage 1. Query and normal image in; anomalous cells and a
 * comparison out. */
#include "stages/sft.h"

const judo_stage judo_stage_juxtaposed_segmentation = {
    .name = "juxtaposed_segmentation",
    .summary =
        "stage 1: write the anomalous cells of a query image beside a normal one, and explain",
    .kind = JUDO_SAMPLE_SEGMENTATION,
    .samples_per_step = judo_sft_samples_per_step,
    .open = judo_sft_open,
    .accumulate = judo_sft_accumulate,
    .close = judo_sft_close,
};
