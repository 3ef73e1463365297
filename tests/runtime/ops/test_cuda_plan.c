/* tests/runtime/ops/test_cuda_plan.c: host code of the CUDA backend, which needs no GPU: spans
 * as blocks of queries and keys, rows of a decode step as items, indices as chains. */
#include "tests/runtime/ops/support.h"

#include "runtime/ops/cuda/attention_plan.h"
#include "runtime/ops/cuda/decode_plan.h"
#include "runtime/ops/cuda/row_chains.h"

enum { MOST_SPANS = 6 };

typedef struct plan_case {
    int32_t tokens, step;
    int num_spans;
    judo_attention_span spans[MOST_SPANS];
} plan_case;

static const plan_case cases[] = {
    {5, 64, 1, {{0, 5, 0, 0, true}}},
    {130, 9, 1, {{0, 130, 0, 0, true}}},
    {200, 32, 1, {{0, 200, 0, 0, false}}},
    {100, 21, 4, {{64, 100, 0, 0, false}, {0, 64, 0, 0, false}, {9, 9, 3, 5, true}}},
    {300,
     9,
     4,
     {{0, 131, 0, 0, true},
      {131, 200, 0, 131, true},
      {200, 201, 0, 131, true},
      {201, 300, 0, 131, true}}},
    {40, 1, 3, {{0, 7, 20, 40, false}, {7, 20, 2, 5, true}, {20, 40, 0, 0, true}}},
    {0, 64, 1, {{0, 0, 0, 0, true}}},
};

static bool sees(const plan_case *c, int32_t query, int32_t key)
{
    for (int i = 0; i < c->num_spans; i++) {
        const judo_attention_span *s = &c->spans[i];
        if (query >= s->begin && query < s->end) {
            bool own = key >= s->begin && key < s->end && (!s->causal || key <= query);
            return own || (key >= s->prefix_begin && key < s->prefix_end);
        }
    }
    return false;
}

typedef struct plan {
    judo_attention_counts counts;
    judo_query_block *query_blocks;
    judo_key_block *key_blocks;
    judo_query_run *runs;
} plan;

static plan new_plan(const plan_case *c)
{
    plan p = {0};
    p.counts = judo_attention_plan(NULL, NULL, NULL, c->spans, c->num_spans, c->step);
    p.query_blocks = calloc((size_t)p.counts.query_blocks + 1, sizeof *p.query_blocks);
    p.key_blocks = calloc((size_t)p.counts.key_blocks + 1, sizeof *p.key_blocks);
    p.runs = calloc((size_t)p.counts.runs + 1, sizeof *p.runs);
    assert_true(p.query_blocks && p.key_blocks && p.runs);
    judo_attention_counts filled = judo_attention_plan(p.query_blocks, p.key_blocks, p.runs,
                                                       c->spans, c->num_spans, c->step);
    assert_memory_equal(&filled, &p.counts, sizeof filled);
    return p;
}

static void free_plan(plan *p)
{
    free(p->query_blocks);
    free(p->key_blocks);
    free(p->runs);
}

static void test_query_blocks__hold_every_token_once_with_its_span(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const plan_case *c = &cases[i];
        plan p = new_plan(c);
        int *held = calloc((size_t)c->tokens + 1, sizeof *held);
        assert_non_null(held);
        for (int64_t b = 0; b < p.counts.query_blocks; b++) {
            const judo_query_block *block = &p.query_blocks[b];
            assert_in_range(block->count, 1, c->step);
            assert_true(block->first >= block->span.begin);
            assert_true(block->first + block->count <= block->span.end);
            for (int32_t t = block->first; t < block->first + block->count; t++) {
                held[t]++;
            }
        }
        for (int32_t t = 0; t < c->tokens; t++) {
            assert_int_equal(held[t], 1);
        }
        free(held);
        free_plan(&p);
    }
}

/* How often the runs of a block say that `query` sees `key`. */
static int times_seen(const plan *p, const judo_key_block *block, int32_t query, int32_t key)
{
    int times = 0;
    for (int32_t r = block->runs_begin; r < block->runs_end; r++) {
        const judo_query_run *run = &p->runs[r];
        times += query >= run->begin && query < run->end && key >= run->low &&
                 key < run->high && (!run->causal || key <= query);
    }
    return times;
}

static void test_key_blocks__name_each_query_of_each_key_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const plan_case *c = &cases[i];
        plan p = new_plan(c);
        int32_t keys = 0;
        for (int64_t b = 0; b < p.counts.key_blocks; b++) {
            const judo_key_block *block = &p.key_blocks[b];
            assert_in_range(block->count, 1, JUDO_KEY_BLOCK);
            keys += block->count;
            for (int32_t k = block->first; k < block->first + block->count; k++) {
                for (int32_t q = 0; q < c->tokens; q++) {
                    assert_int_equal(times_seen(&p, block, q, k), sees(c, q, k));
                }
            }
        }
        assert_int_equal(keys, c->tokens);
        free_plan(&p);
    }
}

static void test_decode_parts__follow_from_a_runs_length_alone(void **state)
{
    (void)state;
    const int32_t lengths[] = {0,    1,    128,  129,  256,   257,
                               2048, 2049, 4096, 4097, 65536, INT32_MAX};
    const int32_t parts[][2] = {{0, 0},  {1, 1}, {1, 1},   {1, 2}, {1, 2},   {2, 3},
                                {8, 16}, {9, 9}, {16, 16}, {9, 9}, {16, 16}, {16, 16}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(judo_decode_num_parts(lengths[i], JUDO_DECODE_PREFIX), parts[i][0]);
        assert_int_equal(judo_decode_num_parts(lengths[i], JUDO_DECODE_OWN), parts[i][1]);
        int64_t keys = judo_decode_part_keys(lengths[i], JUDO_DECODE_OWN);
        assert_true(keys >= JUDO_DECODE_OWN && (keys & (keys - 1)) == 0);
        assert_true(keys * parts[i][1] >= lengths[i]);
    }
}

static void test_decode_items__give_every_row_every_part_of_its_prefix_once(void **state)
{
    (void)state;

    enum { ROWS = 40, MOST = 9, PARTS = 5 };

    static const char keys[8];
    judo_decode_row rows[ROWS];
    judo_decode_item items[ROWS * PARTS];
    int seen[ROWS][PARTS] = {{0}};
    for (int i = 0; i < ROWS; i++) { /* 16 and 11 rows of two prompts, one alone, 12 without */
        int prompt = i < 16 ? 0 : i < 27 ? 1 : i < 28 ? 2 : 3;
        rows[i] =
            (judo_decode_row){.prefix_keys = prompt < 3 ? &keys[prompt] : NULL,
                              .prefix_values = prompt < 3 ? &keys[prompt + 3] : NULL,
                              .prefix_length = (const int32_t[]){1000, 1025, 1, 0}[prompt],
                              .own_length = 1 + i * 7};
    }
    judo_decode_plan counted = judo_decode_plan_of(NULL, rows, ROWS, MOST);
    assert_int_equal(counted.items, 2 * 4 + 2 * 5 + 1);
    assert_int_equal(counted.prefix_parts, 5);
    assert_int_equal(counted.own_parts, 4); /* of 274 keys: 3 */
    judo_decode_plan filled = judo_decode_plan_of(items, rows, ROWS, MOST);
    assert_memory_equal(&filled, &counted, sizeof filled);
    for (int64_t i = 0; i < filled.items; i++) {
        assert_in_range(items[i].count, 1, MOST);
        for (int32_t row = items[i].first; row < items[i].first + items[i].count; row++) {
            assert_ptr_equal(rows[row].prefix_keys, rows[items[i].first].prefix_keys);
            seen[row][items[i].part]++;
        }
    }
    for (int row = 0; row < ROWS; row++) {
        int parts = judo_decode_num_parts(rows[row].prefix_length, JUDO_DECODE_PREFIX);
        for (int part = 0; part < PARTS; part++) {
            assert_int_equal(seen[row][part], part < parts);
        }
    }
    assert_int_equal(items[0].count, 8); /* 16 rows in two equal items */
    assert_int_equal(judo_decode_part_floats(ROWS, 28, 128), ROWS * 28 * 32 * 130);
    assert_int_equal(judo_decode_part_floats(ROWS, 28, 72), ROWS * 28 * 32 * 82);
    assert_int_equal(judo_decode_part_floats(ROWS, 28, 129), 0);
}

static void test_row_chains__visit_the_places_of_a_row_in_order(void **state)
{
    (void)state;

    enum { COUNT = 500, ROWS = 37 };

    int32_t index[COUNT], firsts[COUNT], next[COUNT], seen[ROWS];
    int visits[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        index[i] = (int32_t)judo_random_below(5, JUDO_STREAM_TEST, (uint64_t)i, 0, 0, ROWS - 2);
    }
    int64_t chains = judo_row_chains(firsts, next, seen, index, COUNT, ROWS);
    assert_int_equal(chains, ROWS - 2);
    for (int64_t c = 0; c < chains; c++) {
        assert_true(c == 0 || firsts[c] > firsts[c - 1]);
        for (int32_t place = firsts[c]; place >= 0; place = next[place]) {
            assert_int_equal(index[place], index[firsts[c]]);
            assert_true(next[place] < 0 || next[place] > place);
            visits[place]++;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(visits[i], 1);
    }
    assert_int_equal(judo_row_chains(firsts, next, seen, index, 0, ROWS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_blocks__hold_every_token_once_with_its_span),
        cmocka_unit_test(test_key_blocks__name_each_query_of_each_key_once),
        cmocka_unit_test(test_decode_parts__follow_from_a_runs_length_alone),
        cmocka_unit_test(test_decode_items__give_every_row_every_part_of_its_prefix_once),
        cmocka_unit_test(test_row_chains__visit_the_places_of_a_row_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
