/* models/packed_weights.h: second copies of the matrices that decoding multiplies by, in the
 * backend's own order. */
#ifndef JUDO_MODELS_PACKED_WEIGHTS_H
#define JUDO_MODELS_PACKED_WEIGHTS_H

#include "models/qwen25vl.h"

typedef struct judo_packed_weights {
    const judo_device *device;
    char *memory;                        /* of the device; NULL: nothing is packed */
    struct judo_packed_matrix *matrices; /* [params of the layout]: by their first parameters */
    int64_t bytes;
} judo_packed_weights;

/* Packs the decoder's matrices and the head's, where the backend wants it and at most half of
 * the available memory goes into it; results are the same bits either way. The weights must not
 * change while the copies are used. Free with judo_packed_weights_destroy. Not collective for
 * parameters that are wholly local. */
judo_status judo_packed_weights_create(judo_model *model, judo_params *params,
                                       judo_packed_weights *out) JUDO_MUST_CHECK;
/* Bytes of the copies where there is room for them. */
int64_t judo_packed_weights_bytes(const judo_model *model, judo_dtype dtype);
/* The copy of the matrix, which may be several parameters as one, that begins with `param`;
 * NULL where there is none of just these rows, or no `packed`. */
const void *judo_packed_weights_find(const judo_packed_weights *packed, int param,
                                     const judo_tensor *matrix);
void judo_packed_weights_destroy(judo_packed_weights *packed);

#endif
