/* runtime/ops/attention.h: attention by spans; never a T x T matrix in memory.
 *
 * A span is a run of query tokens that see (1) a prefix run of keys, wholly, and (2) the run
 * itself, causally or wholly. Plain causal text: no prefix, causal. A vision window: no prefix,
 * not causal. A completion of a group: prefix = the prompt, causal. One softmax runs over
 * prefix and own keys. */
#ifndef JUDO_RUNTIME_OPS_ATTENTION_H
#define JUDO_RUNTIME_OPS_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/tensor.h"

typedef struct judo_attention_span {
    int32_t begin, end; /* queries and own keys: tokens [begin, end) */
    int32_t prefix_begin,
        prefix_end; /* keys seen wholly, [prefix_begin, prefix_end); empty if equal */
    bool causal;    /* own keys up to and including the query, else all of them */
} judo_attention_span;

/* One row of a decode step: a single new query against cached keys and values. Keys and values
 * are [length, num_kv_heads, head_dim] runs of the query's dtype; the prefix is shared by the
 * rows of a group. */
typedef struct judo_decode_row {
    const void *prefix_keys, *prefix_values;
    int32_t prefix_length;
    const void *own_keys, *own_values; /* includes the new token's own key and value */
    int32_t own_length;
} judo_decode_row;

#endif
