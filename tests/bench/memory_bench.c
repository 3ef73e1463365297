/* tests/bench/memory_bench.c STAGE f32|bf16: planned and measured bytes per rank of sharded
 * training. Run by tests/bench/memory.sh on 1, 2 and 4 ranks; prints one row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/process.h"
#include "parallel/zero3.h"
#include "tests/bench/process_memory.h"

enum { NUM_UNITS = 14, EMBED_COUNT = 4 << 20, BLOCK_COUNT = 1 << 20, NORM_COUNT = 1024 };

/* One embedding, twelve blocks, the head's norm: 16.8 million parameters. */
static judo_unit units[NUM_UNITS];
static judo_param params[NUM_UNITS];

static judo_param_layout make_layout(void)
{
    for (int u = 0; u < NUM_UNITS; u++) {
        int64_t count = u == 0 ? EMBED_COUNT : u == NUM_UNITS - 1 ? NORM_COUNT : BLOCK_COUNT;
        units[u] = (judo_unit){.first_param = u, .num_params = 1, .count = count};
        params[u] = (judo_param){.num_dims = 1, .dims = {count}, .count = count, .decay = true};
        (void)snprintf(units[u].name, sizeof units[u].name, "unit.%d", u);
        (void)snprintf(params[u].name, sizeof params[u].name, "unit.%d.weight", u);
    }
    return (judo_param_layout){
        .num_units = NUM_UNITS, .units = units, .num_params = NUM_UNITS, .params = params};
}

static float weight_at(const judo_tensor *weights, int64_t i)
{
    return weights->dtype == JUDO_BF16 ? judo_bf16_to_f32(((const uint16_t *)weights->data)[i])
                                       : ((const float *)weights->data)[i];
}

static judo_status visit(judo_params *weights, int unit, int next, bool backward)
{
    judo_tensor tensor;
    judo_tensor gradient;
    JUDO_TRY(weights->ops->acquire(weights, unit, next, &tensor));
    if (backward) {
        JUDO_TRY(weights->ops->gradient_begin(weights, unit, &gradient));
        for (int64_t i = 0; i < gradient.dims[0]; i++) {
            ((float *)gradient.data)[i] += 1e-3f + 0.1f * weight_at(&tensor, i);
        }
        JUDO_TRY(weights->ops->gradient_end(weights, unit));
    }
    return weights->ops->release(weights, unit);
}

static judo_status train(judo_zero3 *zero3, int64_t step)
{
    judo_params *weights = judo_zero3_params(zero3);
    judo_adamw adamw = {.learning_rate = 1e-3f,
                        .beta1 = 0.9f,
                        .beta2 = 0.95f,
                        .epsilon = 1e-8f,
                        .step = step,
                        .gradient_scale = 1};
    judo_zero3_update update;
    JUDO_TRY(judo_zero3_zero_gradients(zero3));
    for (int u = 0; u < NUM_UNITS; u++) {
        JUDO_TRY(visit(weights, u, u + 1 < NUM_UNITS ? u + 1 : NUM_UNITS - 2, false));
    }
    for (int u = NUM_UNITS - 1; u >= 0; u--) {
        JUDO_TRY(visit(weights, u, u - 1, true));
    }
    return judo_zero3_step(zero3, &adamw, 1.0, &update);
}

static void print_row(const judo_comm *comm, const judo_zero3_bytes *b, int64_t measured)
{
    const double mb = 1e-6;
    (void)printf("%5d %8.1f %9.1f %8.1f %9.1f %9.1f %8.1f %8.1f %9.1f\n", comm->size,
                 mb * (double)(b->weights + b->compute), mb * (double)b->gradients,
                 mb * (double)b->moments, mb * (double)b->gathered,
                 mb * (double)b->gradient_buffer, mb * (double)comm->scratch_bytes,
                 mb * (double)(b->total + comm->scratch_bytes), mb * (double)measured);
}

static judo_status run(judo_comm *comm, int stage, judo_dtype dtype)
{
    judo_param_layout layout = make_layout();
    judo_zero3_options options = judo_zero3_stage(stage);
    judo_zero3 *zero3 = NULL;
    judo_zero3_bytes plan;
    options.compute_dtype = dtype;
    JUDO_TRY(judo_zero3_plan(&layout, comm->size, &options, &plan));
    JUDO_TRY(judo_comm_barrier(comm));
    reset_peak();
    int64_t before = process_bytes("VmRSS:");
    JUDO_TRY(judo_zero3_create(comm, &layout, judo_device_cpu(), &options, &zero3));
    judo_status status = JUDO_OK;
    for (int64_t step = 1; status == JUDO_OK && step <= 3; step++) {
        status = train(zero3, step);
    }
    int64_t measured = process_bytes("VmHWM:") - before;
    if (status == JUDO_OK) {
        status = judo_comm_max_i64(comm, &measured, 1);
    }
    if (status == JUDO_OK && comm->rank == 0) {
        print_row(comm, &plan, measured);
    }
    judo_zero3_destroy(&zero3);
    return status;
}

int main(int argc, char **argv)
{
    judo_process process;
    int stage = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
    bool is_bf16 = argc > 2 && strcmp(argv[2], "bf16") == 0;
    judo_status status = judo_process_begin(&process, JUDO_LOG_INFO);
    if (status == JUDO_OK) {
        judo_ops_cpu_set_threads(process.topology.threads);
        status = run(process.comm, stage, is_bf16 ? JUDO_BF16 : JUDO_F32);
    }
    return judo_process_end(&process, status);
}
