/* models/angle_table.c: see angle_table.h. */
#include "models/angle_table.h"

#include <stdlib.h>

#include "models/rotary_tables.h"

int64_t judo_angle_table_bytes(const judo_qwen_text_config *config, int32_t num_first,
                               int32_t length)
{
    return (int64_t)num_first * length * config->head_dim * (int64_t)sizeof(float);
}

/* One run of `length` positions on the host: on the three axes, its cosines, its sines. */
typedef struct run {
    int32_t *positions;
    float *cos, *sin;
} run;

static judo_status send_run(const judo_qwen_text_config *config, const judo_angle_table *table,
                            int32_t first_position, int32_t length, int64_t row, const run *r)
{
    const int64_t half = config->head_dim / 2;
    const int64_t bytes = length * half * (int64_t)sizeof(float);
    float *cosines = (float *)table->angles.data + row * half;
    float *sines = cosines + table->num_positions * half;
    for (int32_t i = 0; i < 3 * length; i++) {
        r->positions[i] = first_position + i % length;
    }
    judo_rotary_text(config, r->positions, length, r->cos, r->sin);
    JUDO_TRY(table->device->copy(cosines, r->cos, bytes, NULL));
    return table->device->copy(sines, r->sin, bytes, NULL);
}

static judo_status fill(const judo_qwen_text_config *config, const judo_angle_table *table,
                        const int32_t *first_positions, int32_t num_first, int32_t length)
{
    const size_t elements = (size_t)length * (size_t)config->head_dim / 2;
    run r = {.positions = calloc(3 * (size_t)length, sizeof *r.positions),
             .cos = calloc(elements, sizeof *r.cos),
             .sin = calloc(elements, sizeof *r.sin)};
    judo_status status = JUDO_OK;
    if (!r.positions || !r.cos || !r.sin) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for the angles of %d tokens", length);
    }
    for (int32_t i = 0; i < num_first && status == JUDO_OK; i++) {
        status = send_run(config, table, first_positions[i], length, (int64_t)i * length, &r);
    }
    free(r.positions);
    free(r.cos);
    free(r.sin);
    return status;
}

judo_status judo_angle_table_create(const judo_qwen_text_config *config,
                                    const judo_device *device, const int32_t *first_positions,
                                    int32_t num_first, int32_t length, judo_angle_table *out)
{
    judo_angle_table table = {.device = device, .num_positions = (int64_t)num_first * length};
    void *memory = NULL;
    for (int32_t i = 0; i < num_first; i++) {
        if (first_positions[i] > INT32_MAX - length) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "position %d has no room for %d more tokens behind it",
                             first_positions[i], length);
        }
    }
    if (2 * table.num_positions > INT32_MAX || length > INT32_MAX / 3) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "%d completions of %d tokens are too many positions; generate fewer "
                         "or shorter completions at once",
                         num_first, length);
    }
    JUDO_TRY(device->allocate(&memory, judo_angle_table_bytes(config, num_first, length)));
    table.angles =
        judo_tensor_2d(memory, JUDO_F32, 2 * table.num_positions, config->head_dim / 2);
    judo_status status = fill(config, &table, first_positions, num_first, length);
    if (status != JUDO_OK) {
        judo_angle_table_destroy(&table);
        return status;
    }
    *out = table;
    return JUDO_OK;
}

void judo_angle_table_destroy(judo_angle_table *table)
{
    if (table->device) {
        table->device->release(table->angles.data);
    }
    *table = (judo_angle_table){0};
}
