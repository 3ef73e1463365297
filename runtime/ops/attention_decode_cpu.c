/* runtime/ops/attention_decode_cpu.c: one new query per row against cached keys and values. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <omp.h>

static bool same_prefix(const judo_decode_row *a, const judo_decode_row *b)
{
    return a->prefix_length == b->prefix_length && a->prefix_keys == b->prefix_keys &&
           a->prefix_values == b->prefix_values;
}

/* Rows [first, last), which share a prefix, for one key head. */
static void decode_rows(judo_attention_tile *tile, void *out, const void *q,
                        const judo_decode_row *rows, int64_t first, int64_t last,
                        const judo_attention_shape *shape, int key_head)
{
    judo_dtype dtype = tile->dtype;
    int64_t stride = (int64_t)shape->key_heads * shape->dim;
    int64_t head_offset = (int64_t)key_head * shape->dim;
    int group = shape->group;
    for (int64_t b = first; b < last; b++) {
        for (int g = 0; g < group; g++) {
            int64_t head = b * shape->query_heads + key_head * group + g;
            judo_attention_tile_load(tile, (int)(b - first) * group + g,
                                     judo_cpu_at(q, dtype, head * shape->dim));
        }
    }
    if (rows[first].prefix_length > 0) {
        judo_attention_tile_see(tile, 0, (int)(last - first) * group,
                                judo_cpu_at(rows[first].prefix_keys, dtype, head_offset),
                                judo_cpu_at(rows[first].prefix_values, dtype, head_offset),
                                stride, rows[first].prefix_length, NULL);
    }
    for (int64_t b = first; b < last; b++) {
        int row = (int)(b - first) * group;
        if (rows[b].own_length > 0) {
            judo_attention_tile_see(tile, row, row + group,
                                    judo_cpu_at(rows[b].own_keys, dtype, head_offset),
                                    judo_cpu_at(rows[b].own_values, dtype, head_offset), stride,
                                    rows[b].own_length, NULL);
        }
        for (int g = 0; g < group; g++) {
            int64_t head = b * shape->query_heads + key_head * group + g;
            judo_attention_tile_store(tile, row + g, judo_cpu_to(out, dtype, head * shape->dim),
                                      NULL);
        }
    }
}

/* firsts[i] = the first row of block i, whose rows share a prefix and fit a tile; one entry
 * past the last. Returns the number of blocks. */
static int64_t list_blocks(int64_t *firsts, const judo_decode_row *rows, int64_t num_rows,
                           int most)
{
    int64_t count = 0;
    for (int64_t i = 0; i < num_rows; i++) {
        if (count == 0 || i - firsts[count - 1] == most ||
            !same_prefix(&rows[firsts[count - 1]], &rows[i])) {
            firsts[count++] = i;
        }
    }
    firsts[count] = num_rows;
    return count;
}

static int64_t total_keys(const judo_decode_row *rows, int64_t num_rows)
{
    int64_t total = 0;
    for (int64_t i = 0; i < num_rows; i++) {
        total += (int64_t)rows[i].prefix_length + rows[i].own_length;
    }
    return total;
}

judo_status judo_cpu_attention_decode(judo_tensor *out, const judo_tensor *q,
                                      const judo_decode_row *rows, int num_kv_heads,
                                      float scale)
{
    JUDO_TRY(judo_attention_check_rows(out, q, rows, num_kv_heads));
    int64_t num_rows = q->dims[0];
    judo_attention_shape shape = {.tokens = num_rows,
                                  .query_heads = (int)q->dims[1],
                                  .key_heads = num_kv_heads,
                                  .group = (int)q->dims[1] / num_kv_heads,
                                  .dim = (int)q->dims[2]};
    int threads = judo_cpu_threads_for(total_keys(rows, num_rows) * num_kv_heads * shape.dim);
    int64_t tile_floats = judo_attention_tile_floats(shape.dim);
    int64_t list_bytes = ((num_rows + 1) * (int64_t)sizeof(int64_t) + 63) / 64 * 64;
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, JUDO_SCRATCH_OP,
                              list_bytes + threads * tile_floats * (int64_t)sizeof(float)));
    int64_t *firsts = memory;
    float *tiles = (float *)((char *)memory + list_bytes);
    int64_t items =
        list_blocks(firsts, rows, num_rows, JUDO_ATTENTION_ROWS / shape.group) * num_kv_heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < items; i++) {
        judo_attention_tile tile = judo_attention_tile_at(
            tiles + omp_get_thread_num() * tile_floats, q->dtype, shape.dim, scale);
        int64_t block = i / num_kv_heads;
        decode_rows(&tile, out->data, q->data, rows, firsts[block], firsts[block + 1], &shape,
                    (int)(i % num_kv_heads));
    }
    return JUDO_OK;
}
