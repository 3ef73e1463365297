/* tests/runtime/ops/test_decode.c: decode steps of rows whose runs of keys end around the
 * places where a backend may cut them, against plain double loops, in any company. */
#include "tests/runtime/ops/support.h"

enum { GROUP = 7, MOST_ROWS = 24, KEYS = 700 };

typedef struct row_lengths {
    int32_t prefix, own;
} row_lengths;

/* Rows of as many keys each as said; those that follow each other with a prefix of the same
 * length share it. */
typedef struct decode_case {
    int key_heads, dim, num_rows;
    row_lengths lengths[MOST_ROWS];
} decode_case;

typedef struct decode_data {
    judo_tensor q, out, keys, values; /* keys: [KEYS, key heads, dim] */
    judo_decode_row rows[MOST_ROWS];
    int32_t prefix_at[MOST_ROWS], own_at[MOST_ROWS]; /* tokens of `keys` */
    float scale;
} decode_data;

static decode_data new_data(const decode_case *c)
{
    decode_data d = {.q = new_3d(c->num_rows, GROUP * c->key_heads, c->dim),
                     .out = new_3d(c->num_rows, GROUP * c->key_heads, c->dim),
                     .keys = new_3d(KEYS, c->key_heads, c->dim),
                     .values = new_3d(KEYS, c->key_heads, c->dim),
                     .scale = 1.0f / sqrtf((float)c->dim)};
    int64_t stride = (int64_t)c->key_heads * c->dim;
    fill(&d.q, 1, 3.0f);
    fill(&d.keys, 2, 2.0f);
    fill(&d.values, 3, 1.0f);
    for (int i = 0; i < c->num_rows; i++) {
        bool shared = i > 0 && c->lengths[i].prefix == c->lengths[i - 1].prefix;
        int32_t prefix = shared ? d.prefix_at[i - 1] : (5 * i) % (KEYS - c->lengths[i].prefix);
        int32_t own = (11 * i + 3) % (KEYS - c->lengths[i].own);
        d.prefix_at[i] = prefix;
        d.own_at[i] = own;
        d.rows[i] = (judo_decode_row){values_of(&d.keys) + prefix * stride,
                                      values_of(&d.values) + prefix * stride,
                                      c->lengths[i].prefix,
                                      values_of(&d.keys) + own * stride,
                                      values_of(&d.values) + own * stride,
                                      c->lengths[i].own};
    }
    return d;
}

static void free_data(decode_data *d)
{
    FREE(&d->q, &d->out, &d->keys, &d->values);
}

/* The token of a row's key `i`: its prefix, then its own. */
static int64_t token_of(const decode_case *c, const decode_data *d, int row, int32_t i)
{
    int32_t prefix = c->lengths[row].prefix;
    return i < prefix ? d->prefix_at[row] + i : d->own_at[row] + i - prefix;
}

static void check_head(const decode_case *c, const decode_data *d, int row, int head)
{
    double weights[2 * KEYS];
    int64_t at = ((int64_t)row * GROUP * c->key_heads + head) * c->dim;
    int32_t count = c->lengths[row].prefix + c->lengths[row].own;
    int64_t stride = (int64_t)c->key_heads * c->dim;
    int64_t offset = (int64_t)(head / GROUP) * c->dim;
    double sum = 0.0;
    for (int32_t i = 0; i < count; i++) {
        const float *key = values_of(&d->keys) + token_of(c, d, row, i) * stride + offset;
        double score = 0.0;
        for (int e = 0; e < c->dim; e++) {
            score += (double)values_of(&d->q)[at + e] * (double)key[e];
        }
        weights[i] = exp(score * (double)d->scale);
        sum += weights[i];
    }
    for (int e = 0; e < c->dim; e++) {
        double expected = 0.0;
        for (int32_t i = 0; i < count; i++) {
            int64_t place = token_of(c, d, row, i) * stride + offset + e;
            expected += weights[i] / sum * (double)values_of(&d->values)[place];
        }
        /* In bf16 weights are rounded before they multiply values of up to 1. */
        assert_stored((double)values_of(&d->out)[at + e], expected, BF16 ? 2e-3 : 3e-6, 1,
                      "out", at + e);
    }
}

static judo_status decode(const decode_case *c, decode_data *d, int first, int count)
{
    judo_tensor q = rows_of(&d->q, first, count);
    judo_tensor out = rows_of(&d->out, first, count);
    fill_with(&out, 9.0f);
    return JUDO_TEST_OPS->attention_decode(&out, &q, d->rows + first, c->key_heads, d->scale);
}

/* All rows at once are right, and any of them alone, or fewer of those that share a prefix,
 * give the same bits. */
static void check_case(const decode_case *c)
{
    decode_data d = new_data(c);
    assert_ok(decode(c, &d, 0, c->num_rows));
    for (int row = 0; row < c->num_rows; row++) {
        for (int head = 0; head < GROUP * c->key_heads; head++) {
            check_head(c, &d, row, head);
        }
    }
    judo_tensor all = new_copy(&d.out);
    const int steps[] = {1, 3, 10};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        for (int first = 0; first < c->num_rows; first += steps[s]) {
            int left = c->num_rows - first;
            assert_ok(decode(c, &d, first, left < steps[s] ? left : steps[s]));
        }
        assert_same_bits(&d.out, &all, "in other company");
    }
    FREE(&all);
    free_data(&d);
}

static void test_decode__is_right_at_every_border(void **state)
{
    (void)state;
    const int32_t borders[] = {1,   15,  16,  17,  63,  64,  65, 127,
                               128, 129, 255, 256, 257, 511, 513};
    const int dims[] = {64, 80, 128, 24};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
        decode_case c = {.key_heads = d == 1 ? 2 : 1, .dim = dims[d]};
        for (size_t i = d % 2; i < sizeof borders / sizeof *borders; i += d == 0 ? 1 : 2) {
            c.lengths[c.num_rows++] = (row_lengths){(i % 3 == 0) ? 0 : borders[i], 1};
            if (c.num_rows < MOST_ROWS && i % 3 == 0) {
                c.lengths[c.num_rows++] = (row_lengths){0, borders[i]};
            }
        }
        check_case(&c);
    }
}

/* A group of completions of one prompt fills more than a tile, another does not; lengths
 * differ. */
static void test_decode__gives_a_row_the_same_bits_in_any_company(void **state)
{
    (void)state;
    decode_case c = {.key_heads = 1, .dim = 128, .num_rows = 21};
    for (int i = 0; i < c.num_rows; i++) {
        c.lengths[i] = (row_lengths){i < 13 ? 300 : 257, 1 + (i * 53) % 260};
    }
    c.lengths[20] = (row_lengths){0, 513};
    check_case(&c);
}

/* Longer runs than this many parts of the least length are cut in longer parts. */
static void test_decode__joins_the_parts_of_long_runs(void **state)
{
    (void)state;

    enum { LONG = 4200, DIM = 16 };

    judo_tensor q = new_3d(2, 2, DIM), out = new_3d(2, 2, DIM);
    judo_tensor keys = new_3d(LONG, 1, DIM), values = new_3d(LONG, 1, DIM);
    fill(&q, 1, 1.0f);
    fill(&keys, 2, 1.0f);
    for (int64_t i = 0; i < LONG * DIM; i++) {
        values_of(&values)[i] = i / DIM == LONG - 1 ? 64.0f : i / DIM % 2 ? 1.0f : -1.0f;
    }
    judo_decode_row rows[2] = {{keys.data, values.data, LONG, keys.data, values.data, LONG},
                               {keys.data, values.data, LONG, NULL, NULL, 0}};
    assert_ok(JUDO_TEST_OPS->attention_decode(&out, &q, rows, 1, 0.0f));
    /* Without scores every key weighs the same: the mean, which the last key makes. */
    for (int64_t i = 0; i < 4 * DIM; i++) {
        assert_stored((double)values_of(&out)[i], 63.0 / LONG, 1e-6, 1, "out", i);
    }
    FREE(&q, &out, &keys, &values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode__is_right_at_every_border),
        cmocka_unit_test(test_decode__gives_a_row_the_same_bits_in_any_company),
        cmocka_unit_test(test_decode__joins_the_parts_of_long_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
