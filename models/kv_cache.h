/* models/kv_cache.h: keys and values of prompts, kept once per prompt, and of the completions
 * that grow behind them. */
#ifndef JUDO_MODELS_KV_CACHE_H
#define JUDO_MODELS_KV_CACHE_H

#include <stdint.h>

#include "models/qwen25vl.h"
#include "runtime/ops/attention.h"

typedef struct judo_kv_cache {
    const judo_device *device;                  /* whose memory it is in */
    int32_t num_layers, num_rows, row_capacity; /* tokens that a row may grow to */
    int64_t prompt_tokens, num_kv_heads, head_dim;
    judo_dtype dtype;
    char *prompt_keys, *prompt_values; /* [layers, prompt_tokens, kv heads, head_dim] */
    char *own_keys, *own_values;       /* [layers, rows, row_capacity, kv heads, head_dim] */
    int64_t prefill_begin;             /* prompt token that a prefill's first token is */
} judo_kv_cache;

/* Bytes of such a cache. */
int64_t judo_kv_cache_bytes(const judo_qwen_config *config, int64_t prompt_tokens,
                            int32_t num_rows, int32_t row_capacity, judo_dtype dtype);

judo_status judo_kv_cache_create(const judo_qwen_config *config, const judo_device *device,
                                 int64_t prompt_tokens, int32_t num_rows, int32_t row_capacity,
                                 judo_dtype dtype, judo_kv_cache *out) JUDO_MUST_CHECK;
void judo_kv_cache_destroy(judo_kv_cache *cache);

/* Receives the keys and values of a prefill of prompt tokens from `first_token` on; valid until
 * the next call. */
judo_kv_sink judo_kv_cache_sink(judo_kv_cache *cache, int64_t first_token);

/* The place of token `position` of a row, the same in every layer. */
int32_t judo_kv_cache_place(const judo_kv_cache *cache, int32_t row, int32_t position);
/* One layer's keys and values of all rows, [rows * row_capacity, kv heads, head_dim]: where new
 * tokens go to their places. */
judo_tensor judo_kv_cache_keys(const judo_kv_cache *cache, int layer);
judo_tensor judo_kv_cache_values(const judo_kv_cache *cache, int layer);

/* What a row's next query sees in one layer: prompt tokens [begin, end) and its own first
 * `own_length` tokens. */
judo_decode_row judo_kv_cache_row(const judo_kv_cache *cache, int layer, int32_t begin,
                                  int32_t end, int32_t row, int32_t own_length);

#endif
