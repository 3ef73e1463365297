/* parallel/tensor_names.h: a layout's tensors by their names, whatever order they stand in. */
#ifndef JUDO_PARALLEL_TENSOR_NAMES_H
#define JUDO_PARALLEL_TENSOR_NAMES_H

#include "runtime/params.h"

typedef struct judo_tensor_names {
    const judo_param_layout *layout; /* borrowed */
    int *by_name;                    /* [num_params] indices sorted by name */
} judo_tensor_names;

/* Free with judo_tensor_names_free, which may also be called on zeros. */
judo_status judo_tensor_names_create(const judo_param_layout *layout,
                                     judo_tensor_names *out) JUDO_MUST_CHECK;
void judo_tensor_names_free(judo_tensor_names *names);
/* The index of a tensor in the layout; -1: it has none of this name. */
int judo_tensor_names_find(const judo_tensor_names *names, const char *name);

#endif
