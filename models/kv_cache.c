/* models/kv_cache.c: one block of memory per kind. */
#include "models/kv_cache.h"

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

static judo_status allocate(const judo_device *device, int64_t bytes, char **out)
{
    void *memory = NULL;
    JUDO_TRY(device->allocate(&memory, bytes));
    *out = memory;
    return JUDO_OK;
}

static judo_status allocate_all(judo_kv_cache *cache, int64_t prompt_bytes, int64_t own_bytes)
{
    JUDO_TRY(allocate(cache->device, prompt_bytes, &cache->prompt_keys));
    JUDO_TRY(allocate(cache->device, prompt_bytes, &cache->prompt_values));
    JUDO_TRY(allocate(cache->device, own_bytes, &cache->own_keys));
    return allocate(cache->device, own_bytes, &cache->own_values);
}

judo_status judo_kv_cache_create(const judo_qwen_config *config, const judo_device *device,
                                 int64_t prompt_tokens, int32_t num_rows, int32_t row_capacity,
                                 judo_dtype dtype, judo_kv_cache *out)
{
    judo_kv_cache cache = {.device = device,
                           .num_layers = (int32_t)config->text.num_layers,
                           .num_rows = num_rows,
                           .row_capacity = row_capacity,
                           .prompt_tokens = prompt_tokens,
                           .num_kv_heads = config->text.num_kv_heads,
                           .head_dim = config->text.head_dim,
                           .dtype = dtype};
    int64_t prompt_bytes = judo_kv_cache_bytes(config, prompt_tokens, 0, 0, dtype) / 2;
    int64_t own_bytes = judo_kv_cache_bytes(config, 0, num_rows, row_capacity, dtype) / 2;
    if ((int64_t)num_rows * row_capacity > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "a key-value cache for %d completions of %d tokens; generate fewer "
                         "or shorter completions at once",
                         num_rows, row_capacity);
    }
    judo_status status = allocate_all(&cache, prompt_bytes, own_bytes);
    if (status != JUDO_OK) {
        judo_kv_cache_destroy(&cache);
    }
    if (status == JUDO_ERROR_MEMORY) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "device %s: no memory for a key-value cache of %lld MB; generate "
                         "fewer or shorter completions at once",
                         device->name, (long long)(2 * (prompt_bytes + own_bytes) / 1000000));
    }
    JUDO_TRY(status);
    *out = cache;
    return JUDO_OK;
}

void judo_kv_cache_destroy(judo_kv_cache *cache)
{
    char *const blocks[] = {cache->prompt_keys, cache->prompt_values, cache->own_keys,
                            cache->own_values};
    for (int i = 0; i < 4 && cache->device; i++) {
        cache->device->release(blocks[i]);
    }
    *cache = (judo_kv_cache){0};
}

static int64_t token_bytes(const judo_kv_cache *cache)
{
    return cache->num_kv_heads * cache->head_dim * judo_dtype_bytes(cache->dtype);
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
    int64_t offset = first * token_bytes(cache);
    int64_t bytes = count * token_bytes(cache);
    JUDO_TRY(cache->device->copy(cache->prompt_keys + offset, keys->data, bytes, NULL));
    return cache->device->copy(cache->prompt_values + offset, values->data, bytes, NULL);
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

int32_t judo_kv_cache_place(const judo_kv_cache *cache, int32_t row, int32_t position)
{
    return row * cache->row_capacity + position;
}

static judo_tensor layer_of(const judo_kv_cache *cache, char *own, int layer)
{
    return judo_tensor_3d(own + row_offset(cache, layer, 0), cache->dtype,
                          (int64_t)cache->num_rows * cache->row_capacity, cache->num_kv_heads,
                          cache->head_dim);
}

judo_tensor judo_kv_cache_keys(const judo_kv_cache *cache, int layer)
{
    return layer_of(cache, cache->own_keys, layer);
}

judo_tensor judo_kv_cache_values(const judo_kv_cache *cache, int layer)
{
    return layer_of(cache, cache->own_values, layer);
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
