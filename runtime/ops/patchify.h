/* runtime/ops/patchify.h: what the `patchify` op is told beside its tensors. */
#ifndef JUDO_RUNTIME_OPS_PATCHIFY_H
#define JUDO_RUNTIME_OPS_PATCHIFY_H

#include <stdint.h>

enum { JUDO_PATCH_CHANNELS = 3 };

/* How pictures are cut into patches, and what their pixels become. */
typedef struct judo_patch_form {
    int32_t side;   /* pixels of a patch, both ways */
    int32_t frames; /* a still is each of them */
    int32_t merge;  /* patches of a merged token, both ways */
    float mean[JUDO_PATCH_CHANNELS], deviation[JUDO_PATCH_CHANNELS]; /* patchify_math.h */
} judo_patch_form;

/* A square of merge x merge patches among a batch's pixels. */
typedef struct judo_patch_square {
    int64_t first_byte; /* of its upper left pixel */
    int64_t row_bytes;  /* from a row of its picture's pixels to the next */
} judo_patch_square;

#endif
