/* models/kv_cache.c: one block of memory per kind. */
#include "models/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

static int64_t token_width(const judo_qwen_config *config)
{
    return config->text.num_kv_heads * config->text.head_dim;
}

int64_t judo_kv_cache_bytes(const judo_qwen_config *config, int64_t prompt_tokens,
                            int32_t num_rows, int32_t row_capacity, judo_dtype dtype)
{
    int64_t tokens = prompt_tokens + (int64_t)num_rows * row_capacity;
    return 2 * config->text.num_layers * tokens * token_width(config) * judo_dtype_bytes(dtype);
}

static char *allocate(int64_t bytes)
{
    return judo_memory_take((size_t)bytes);
}

judo_status judo_kv_cache_create(const judo_qwen_config *config, int64_t prompt_tokens,
                                 int32_t num_rows, int32_t row_capacity, judo_dtype dtype,
                                 judo_kv_cache *out)
{
    judo_kv_cache cache = {.num_layers = (int32_t)config->text.num_layers,
                           .num_rows = num_rows,
                           .row_capacity = row_capacity,
                           .prompt_tokens = prompt_tokens,
                           .width = token_width(config),
                           .dtype = dtype};
    int64_t prompt_bytes = judo_kv_cache_bytes(config, prompt_tokens, 0, 0, dtype) / 2;
    int64_t own_bytes = judo_kv_cache_bytes(config, 0, num_rows, row_capacity, dtype) / 2;
    cache.prompt_keys = allocate(prompt_bytes);
    cache.prompt_values = allocate(prompt_bytes);
    cache.own_keys = allocate(own_bytes);
    cache.own_values = allocate(own_bytes);
    if (!cache.prompt_keys || !cache.prompt_values || !cache.own_keys || !cache.own_values) {
        judo_kv_cache_destroy(&cache);
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "no memory for a key-value cache of %lld MB; generate fewer or "
                         "shorter completions at once",
                         (long long)(2 * (prompt_bytes + own_bytes) / 1000000));
    }
    *out = cache;
    return JUDO_OK;
}

void judo_kv_cache_destroy(judo_kv_cache *cache)
{
    free(cache->prompt_keys);
    free(cache->prompt_values);
    free(cache->own_keys);
    free(cache->own_values);
    *cache = (judo_kv_cache){0};
}

static int64_t token_bytes(const judo_kv_cache *cache)
{
    return cache->width * judo_dtype_bytes(cache->dtype);
}

static judo_status put_prompt(void *context, int layer, const judo_tensor *keys,
                              const judo_tensor *values)
{
    judo_kv_cache *cache = context;
    int64_t count = keys->dims[0];
    if (cache->prefill_begin + count > cache->prompt_tokens || keys->dtype != cache->dtype) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "a key-value cache for %lld %s tokens was given %lld %s ones from "
                         "token %lld on",
                         (long long)cache->prompt_tokens, judo_dtype_name(cache->dtype),
                         (long long)count, judo_dtype_name(keys->dtype),
                         (long long)cache->prefill_begin);
    }
    int64_t first = layer * cache->prompt_tokens + cache->prefill_begin;
    size_t bytes = (size_t)(count * token_bytes(cache));
    memcpy(cache->prompt_keys + first * token_bytes(cache), keys->data, bytes);
    memcpy(cache->prompt_values + first * token_bytes(cache), values->data, bytes);
    return JUDO_OK;
}

judo_kv_sink judo_kv_cache_sink(judo_kv_cache *cache, int64_t first_token)
{
    cache->prefill_begin = first_token;
    return (judo_kv_sink){.context = cache, .put = put_prompt};
}

static int64_t row_offset(const judo_kv_cache *cache, int layer, int32_t row)
{
    return ((int64_t)layer * cache->num_rows + row) * cache->row_capacity * token_bytes(cache);
}

void judo_kv_cache_put(judo_kv_cache *cache, int layer, int32_t row, int32_t position,
                       const void *key, const void *value)
{
    int64_t bytes = token_bytes(cache);
    int64_t offset = row_offset(cache, layer, row) + position * bytes;
    memcpy(cache->own_keys + offset, key, (size_t)bytes);
    memcpy(cache->own_values + offset, value, (size_t)bytes);
}

judo_decode_row judo_kv_cache_row(const judo_kv_cache *cache, int layer, int32_t begin,
                                  int32_t end, int32_t row, int32_t own_length)
{
    int64_t prompt = (layer * cache->prompt_tokens + begin) * token_bytes(cache);
    int64_t own = row_offset(cache, layer, row);
    return (judo_decode_row){.prefix_keys = cache->prompt_keys + prompt,
                             .prefix_values = cache->prompt_values + prompt,
                             .prefix_length = end - begin,
                             .own_keys = cache->own_keys + own,
                             .own_values = cache->own_values + own,
                             .own_length = own_length};
}
