/* models/kv_cache.h: keys and values of prompts, kept once per prompt, and of the completions that grow behind them. */
#ifndef JUDO_MODELS_KV_CACHE_H
#define JUDO_MODELS_KV_CACHE_H

#include <stdint.h>

#include "models/qwen25vl.h"
#include "runtime/ops/attention.h"

typedef struct judo_kv_cache {
    int32_t num_layers, num_rows, row_capacity; /* tokens that a row may grow to */
    int64_t prompt_tokens, width;               /* elements of one token's keys: kv heads * head_dim */
    judo_dtype dtype;
    char *prompt_keys, *prompt_values; /* [layers, prompt_tokens, width] */
    char *own_keys, *own_values;       /* [layers, rows, row_capacity, width] */
} judo_kv_cache;

/* Bytes of such a cache. */
int64_t judo_kv_cache_bytes(const judo_qwen_config *config, int64_t prompt_tokens, int32_t num_rows,
                            int32_t row_capacity, judo_dtype dtype);

judo_status judo_kv_cache_create(const judo_qwen_config *config, int64_t prompt_tokens, int32_t num_rows,
                                 int32_t row_capacity, judo_dtype dtype, judo_kv_cache *out) JUDO_MUST_CHECK;
void judo_kv_cache_destroy(judo_kv_cache *cache);

/* Receives a prefill's keys and values. */
judo_kv_sink judo_kv_cache_sink(judo_kv_cache *cache);

/* Stores token `position` of a row, one layer. `key` and `value` have `width` elements. */
void judo_kv_cache_put(judo_kv_cache *cache, int layer, int32_t row, int32_t position, const void *key, const void *value);

/* What a row's next query sees in one layer: prompt tokens [begin, end) and its own first `own_length` tokens. */
judo_decode_row judo_kv_cache_row(const judo_kv_cache *cache, int layer, int32_t begin, int32_t end, int32_t row,
                                  int32_t own_length);

#endif
