/* runtime/ops/cuda/work_memory.c: see work_memory.h. */
#include "runtime/ops/cuda/work_memory.h"

#include "runtime/ops/cuda/attention_plan.h"
#include "runtime/ops/cuda/decode_plan.h"

/* Parts are aligned to 256 bytes; a few of them. */
enum { PARTS = 8 * 256, ROWS_OF_A_RUN = 8, LEAST_LISTS = 4 << 20 };

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

judo_work_bytes judo_work_bytes_of(const judo_device_work *most)
{
    const int64_t number = (int64_t)sizeof(float);
    int64_t chunk = most->chunk_rows < most->targets ? most->chunk_rows : most->targets;
    int64_t head = most->targets * ((int64_t)sizeof(judo_token_outcome) + 2 * number) +
                   chunk * most->vocabulary * number;
    int64_t runs = (most->rows + ROWS_OF_A_RUN - 1) / ROWS_OF_A_RUN;
    int64_t sums = runs * most->columns * number;
    int64_t delta = most->rows * most->heads * number;
    int64_t decoded =
        judo_decode_part_floats(most->drawn_rows, most->heads, most->head_dim) * number;
    /* A span for every row at worst: a block of queries, one of keys and a run of each. */
    int64_t spans = most->rows * (int64_t)(sizeof(judo_query_block) + sizeof(judo_key_block) +
                                           sizeof(judo_query_run));
    int64_t targets = 7 * most->targets * number + most->vocabulary;
    int64_t rows =
        larger(3 * most->rows * number, most->drawn_rows * (int64_t)sizeof(judo_decode_row));
    /* A prefix of its own for every row that is decoded. */
    int64_t decode = most->drawn_rows * (int64_t)(2 * sizeof(judo_decode_row) +
                                                  JUDO_DECODE_PARTS * sizeof(judo_decode_item));
    judo_work_bytes bytes;
    bytes.op = PARTS + larger(larger(head, sums), larger(delta, decoded));
    bytes.product = JUDO_PRODUCT_WORKSPACE;
    bytes.lists =
        larger(LEAST_LISTS, PARTS + larger(larger(spans, targets), larger(rows, decode)));
    return bytes;
}
