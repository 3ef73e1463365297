/* launch/eval_memory.c: see eval_memory.h. */
#include "launch/eval_memory.h"

#include "models/generate.h"
#include "rewards/text_embedder.h"
#include "runtime/device_pool.h"
#include "stages/memory_table.h"

static judo_status sum_up(const judo_eval_memory *memory, judo_memory_table *table)
{
    enum { PARTS = 40 }; /* beside the weights, which are one for every unit */

    const judo_model *model = memory->model;
    const judo_device *device = judo_model_device(model);
    const judo_param_layout *layout = judo_model_layout(model);
    const int64_t work = judo_model_work_bytes(model);
    int64_t encoder = 0;
    if (memory->minilm[0]) {
        JUDO_TRY(judo_text_embedder_plan(memory->minilm, JUDO_F32, &encoder));
    }
    judo_memory_table_add_pooled(table, "weights",
                                 judo_local_params_bytes(layout, memory->dtype, false));
    judo_memory_table_add_pooled(table, "activations",
                                 judo_model_activation_bytes(model) - work);
    judo_memory_table_add_pooled(table, "reward's encoder", encoder);
    judo_memory_table_add_pooled(table, "keys, values, logits of drawing",
                                 judo_generate_bytes(model, memory->batch * memory->max_tokens,
                                                     (int32_t)memory->batch,
                                                     (int32_t)memory->max_new_tokens, false));
    judo_memory_table_add_rounding(table, PARTS + layout->num_units);
    judo_memory_table_add(table, "work memory of ops", work);
    judo_memory_table_add(table, "libraries and graphs (estimated)",
                          device->library_bytes ? device->library_bytes(0) : 0);
    return JUDO_OK;
}

judo_status judo_eval_memory_reserve(const judo_eval_memory *memory)
{
    char text[JUDO_MEMORY_TABLE_BYTES];
    judo_memory_table table = {.num_lines = 0};
    const judo_device *device = judo_model_device(memory->model);
    int64_t available = 0;
    int64_t total = 0;
    if (!device->separate) {
        return JUDO_OK;
    }
    JUDO_TRY(sum_up(memory, &table));
    JUDO_TRY(device->memory(&available, &total));
    judo_memory_table_print(&table, true);
    if (table.total > available) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY,
                         "device: its memory is short by %.1f MB (the table above says for "
                         "what): smaller eval.batch, eval.max_tokens or eval.max_new_tokens, "
                         "or model.dtype=bf16, need less",
                         1e-6 * (double)(table.total - available));
    }
    judo_memory_table_write(&table, true, text);
    return judo_device_pool_reserve(table.pool, text);
}
