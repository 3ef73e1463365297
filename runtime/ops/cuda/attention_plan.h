/* runtime/ops/cuda/attention_plan.h: spans as the work of thread blocks: queries with the keys
 * that they see, and keys with the queries that see them. Host code. */
#ifndef JUDO_RUNTIME_OPS_CUDA_ATTENTION_PLAN_H
#define JUDO_RUNTIME_OPS_CUDA_ATTENTION_PLAN_H

#include <stdint.h>

#include "runtime/ops/attention.h"

enum { JUDO_KEY_BLOCK = 64 }; /* most keys of a key block */

/* Query tokens [first, first + count) of one span. */
typedef struct judo_query_block {
    int32_t first, count;
    judo_attention_span span;
} judo_query_block;

/* Query tokens [begin, end) that see the keys [low, high) of a block; where `causal`, each only
 * those up to itself. */
typedef struct judo_query_run {
    int32_t begin, end, low, high;
    int32_t causal;
} judo_query_run;

/* Key tokens [first, first + count) and who sees them: runs [runs_begin, runs_end). */
typedef struct judo_key_block {
    int32_t first, count, runs_begin, runs_end;
} judo_key_block;

typedef struct judo_attention_counts {
    int64_t query_blocks, key_blocks, runs;
} judo_attention_counts;

/* The plan of spans that judo_attention_check passed, with at most `step` tokens to a query
 * block. Lists that are NULL are only counted. */
judo_attention_counts judo_attention_plan(judo_query_block *query_blocks,
                                          judo_key_block *key_blocks, judo_query_run *runs,
                                          const judo_attention_span *spans, int num_spans,
                                          int32_t step);

#endif
