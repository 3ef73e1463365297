/* runtime/ops/attention_cpu.c: checks of attention's arguments, and its forward pass. */
#include "runtime/ops/attention_cpu.h"
#include "runtime/ops/cpu.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>

/* A run of queries of one span, worked on together. */
typedef struct query_block {
    int32_t span, first;
} query_block;

/* One block of queries against its keys, for one key head. */
static void forward_block(judo_attention_tile *tile, void *out, float *lse, const void *q,
                          const void *k, const void *v, const judo_attention_shape *shape,
                          const judo_attention_span *span, int32_t first, int32_t count,
                          int key_head)
{
    judo_dtype dtype = tile->dtype;
    int64_t stride = (int64_t)shape->key_heads * shape->dim;
    int64_t head_offset = (int64_t)key_head * shape->dim;
    int64_t visible[JUDO_ATTENTION_ROWS];
    int rows = 0;
    for (int32_t t = first; t < first + count; t++) {
        for (int g = 0; g < shape->group; g++) {
            int64_t head = (int64_t)t * shape->query_heads + key_head * shape->group + g;
            judo_attention_tile_load(tile, rows, judo_cpu_at(q, dtype, head * shape->dim));
            visible[rows++] = (span->causal ? t + 1 : span->end) - span->begin;
        }
    }
    if (span->prefix_end > span->prefix_begin) {
        int64_t offset = span->prefix_begin * stride + head_offset;
        judo_attention_tile_see(tile, 0, rows, judo_cpu_at(k, dtype, offset),
                                judo_cpu_at(v, dtype, offset), stride,
                                span->prefix_end - span->prefix_begin, NULL);
    }
    int64_t offset = span->begin * stride + head_offset;
    int32_t most = (span->causal ? first + count : span->end) - span->begin;
    judo_attention_tile_see(tile, 0, rows, judo_cpu_at(k, dtype, offset),
                            judo_cpu_at(v, dtype, offset), stride, most, visible);
    rows = 0;
    for (int32_t t = first; t < first + count; t++) {
        for (int g = 0; g < shape->group; g++) {
            int64_t head = (int64_t)t * shape->query_heads + key_head * shape->group + g;
            judo_attention_tile_store(tile, rows++, judo_cpu_to(out, dtype, head * shape->dim),
                                      lse + head);
        }
    }
}

/* Lists the blocks of `step` queries; returns how many there are. */
static int64_t list_blocks(query_block *blocks, const judo_attention_span *spans, int num_spans,
                           int32_t step)
{
    int64_t count = 0;
    for (int i = 0; i < num_spans; i++) {
        for (int64_t first = spans[i].begin; first < spans[i].end; first += step) {
            blocks[count++] = (query_block){i, (int32_t)first};
        }
    }
    return count;
}

judo_status judo_cpu_attention_forward(judo_tensor *out, judo_tensor *lse, const judo_tensor *q,
                                       const judo_tensor *k, const judo_tensor *v,
                                       const judo_attention_span *spans, int num_spans,
                                       float scale)
{
    const char *op = "attention_forward";
    judo_attention_shape shape;
    JUDO_TRY(judo_attention_check(&shape, op, q, k, v, spans, num_spans));
    JUDO_TRY(judo_attention_check_outputs(&shape, out, lse, q));
    int32_t step = JUDO_ATTENTION_ROWS / shape.group;
    int64_t most_blocks = shape.tokens / step + num_spans;
    int64_t block_bytes = (most_blocks * (int64_t)sizeof(query_block) + 63) / 64 * 64;
    int threads = judo_cpu_threads_for(shape.tokens * shape.query_heads * shape.dim);
    int64_t tile_floats = judo_attention_tile_floats(shape.dim);
    void *memory = NULL;
    JUDO_TRY(judo_cpu_scratch(&memory, JUDO_SCRATCH_OP,
                              block_bytes + threads * tile_floats * (int64_t)sizeof(float)));
    query_block *blocks = memory;
    float *tiles = (float *)((char *)memory + block_bytes);
    int64_t items = list_blocks(blocks, spans, num_spans, step) * shape.key_heads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t i = 0; i < items; i++) {
        judo_attention_tile tile = judo_attention_tile_at(
            tiles + omp_get_thread_num() * tile_floats, q->dtype, shape.dim, scale);
        query_block block = blocks[i / shape.key_heads];
        const judo_attention_span *span = &spans[block.span];
        int32_t left = span->end - block.first;
        forward_block(&tile, out->data, lse->data, q->data, k->data, v->data, &shape, span,
                      block.first, left < step ? left : step, (int)(i % shape.key_heads));
    }
    return JUDO_OK;
}
