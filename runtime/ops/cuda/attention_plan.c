/* runtime/ops/cuda/attention_plan.c: see attention_plan.h. */
#include "runtime/ops/cuda/attention_plan.h"

#include <stddef.h>

static int32_t lower(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t higher(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int64_t add_query_blocks(judo_query_block *blocks, int64_t count,
                                const judo_attention_span *span, int32_t step)
{
    for (int32_t first = span->begin; first < span->end; first += step) {
        if (blocks) {
            blocks[count].first = first;
            blocks[count].count = lower(step, span->end - first);
            blocks[count].span = *span;
        }
        count++;
    }
    return count;
}

static int64_t add_run(judo_query_run *runs, int64_t count, judo_query_run run)
{
    if (runs) {
        runs[count] = run;
    }
    return count + 1;
}

/* Who sees the keys [first, last) of span `own`: itself, and the spans whose prefix has some.
 */
static int64_t add_runs(judo_query_run *runs, int64_t count, const judo_attention_span *spans,
                        int num_spans, int own, int32_t first, int32_t last)
{
    const judo_attention_span *span = &spans[own];
    judo_query_run run = {span->causal ? first : span->begin, span->end, first, last,
                          span->causal};
    count = add_run(runs, count, run);
    for (int i = 0; i < num_spans; i++) {
        int32_t low = higher(first, spans[i].prefix_begin);
        int32_t high = lower(last, spans[i].prefix_end);
        if (low < high && spans[i].begin < spans[i].end) {
            run = (judo_query_run){spans[i].begin, spans[i].end, low, high, 0};
            count = add_run(runs, count, run);
        }
    }
    return count;
}

judo_attention_counts judo_attention_plan(judo_query_block *query_blocks,
                                          judo_key_block *key_blocks, judo_query_run *runs,
                                          const judo_attention_span *spans, int num_spans,
                                          int32_t step)
{
    judo_attention_counts counts = {0, 0, 0};
    for (int i = 0; i < num_spans; i++) {
        counts.query_blocks =
            add_query_blocks(query_blocks, counts.query_blocks, &spans[i], step);
        for (int32_t first = spans[i].begin; first < spans[i].end; first += JUDO_KEY_BLOCK) {
            int32_t last = lower(first + JUDO_KEY_BLOCK, spans[i].end);
            int64_t before = counts.runs;
            counts.runs = add_runs(runs, counts.runs, spans, num_spans, i, first, last);
            if (key_blocks) {
                key_blocks[counts.key_blocks] = (judo_key_block){
                    first, last - first, (int32_t)before, (int32_t)counts.runs};
            }
            counts.key_blocks++;
        }
    }
    return counts;
}
