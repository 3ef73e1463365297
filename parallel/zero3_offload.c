/* parallel/zero3_offload.c: fp32 weights and moments in host memory, updated by the CPU while
 * gradients come from the device and weights go back. */
#include <stdlib.h>

#include "parallel/zero3_state.h"

static int64_t rounded_bytes(const judo_zero3_options *options)
{
    return options->compute_dtype == JUDO_F32 ? 0 : JUDO_OFFLOAD_BLOCK * 2;
}

int64_t judo_zero3_offload_bytes(const judo_zero3_options *options)
{
    return 2 * (JUDO_OFFLOAD_BLOCK * (int64_t)sizeof(float) + rounded_bytes(options));
}

judo_status judo_zero3_offload_create(judo_zero3 *zero3)
{
    const judo_device *device = zero3->device;
    judo_zero3_offload *own = &zero3->offload;
    for (int i = 0; zero3->options.offload && i < 2; i++) {
        void *gradient = NULL;
        void *rounded = NULL;
        JUDO_TRY(
            device->allocate_staging(&gradient, JUDO_OFFLOAD_BLOCK * (int64_t)sizeof(float)));
        own->gradient[i] = gradient;
        JUDO_TRY(device->allocate_staging(&rounded, rounded_bytes(&zero3->options)));
        own->rounded[i] = rounded;
        JUDO_TRY(device->stream_create(&own->queue[i]));
    }
    return JUDO_OK;
}

void judo_zero3_offload_destroy(judo_zero3 *zero3)
{
    const judo_device *device = zero3->device;
    judo_zero3_offload *own = &zero3->offload;
    for (int i = 0; i < 2; i++) {
        if (own->queue[i] != NULL) {
            device->stream_destroy(own->queue[i]);
        }
        device->release_staging(own->gradient[i]);
        device->release_staging(own->rounded[i]);
    }
}

/* At most JUDO_OFFLOAD_BLOCK elements of a run, all of them trained. */
typedef struct block {
    const judo_zero3_run *run; /* NULL: none is left */
    int first_segment;         /* that has elements of it */
    int64_t begin, end;        /* elements of the run */
} block;

/* The first block that has no element before `begin`. */
static block block_from(const judo_zero3_run *run, int segment, int64_t begin)
{
    while (segment < run->num_segments && run->segments[segment].end <= begin) {
        segment++;
    }
    if (segment == run->num_segments) {
        return (block){NULL, 0, 0, 0};
    }
    int64_t first = run->segments[segment].begin;
    block out = {run, segment, first > begin ? first : begin, 0};
    out.end = run->segments[segment].end;
    for (int s = segment + 1; s < run->num_segments && run->segments[s].begin == out.end; s++) {
        out.end = run->segments[s].end;
    }
    if (out.end - out.begin > JUDO_OFFLOAD_BLOCK) {
        out.end = out.begin + JUDO_OFFLOAD_BLOCK;
    }
    return out;
}

/* Behind a block, or the first one behind {NULL}. */
static block next_block(const judo_zero3 *zero3, const block *before)
{
    const judo_zero3_run *run = before->run;
    const judo_zero3_run *last = zero3->runs.runs + zero3->runs.num_runs;
    block next = {NULL, 0, 0, 0};
    if (run != NULL) {
        next = block_from(run, before->first_segment, before->end);
    }
    for (run = run != NULL ? run + 1 : zero3->runs.runs; next.run == NULL && run < last;
         run++) {
        next = block_from(run, 0, 0);
    }
    return next;
}

static judo_status fetch_gradient(judo_zero3 *zero3, const block *b, int turn)
{
    if (b->run == NULL) {
        return JUDO_OK;
    }
    return zero3->device->copy(
        zero3->offload.gradient[turn], judo_zero3_gradient_at(zero3, b->run->unit, b->begin),
        (b->end - b->begin) * (int64_t)sizeof(float), zero3->offload.queue[turn]);
}

/* What a block has of a segment, with its own weight decay. */
static judo_status update_segment(judo_zero3 *zero3, const block *b,
                                  const judo_adamw_segment *segment, int turn,
                                  const judo_adamw *options)
{
    const judo_zero3_offload *own = &zero3->offload;
    const int64_t begin = segment->begin > b->begin ? segment->begin : b->begin;
    const int64_t end = segment->end < b->end ? segment->end : b->end;
    const int64_t moment = zero3->map.trainable_position[b->run->unit] + begin;
    const int64_t at = begin - b->begin;
    const judo_adamw_segment all = {0, end - begin, segment->decay};
    const judo_adamw_arrays arrays = {
        .weights = judo_zero3_master_at(zero3, b->run->unit, begin),
        .bf16 = zero3->base.compute_dtype == JUDO_F32 ? NULL : own->rounded[turn] + at,
        .first_moment = zero3->first_moment + moment,
        .second_moment = zero3->second_moment + moment,
        .gradient = own->gradient[turn] + at,
        .gradient_dtype = JUDO_F32,
        .n = end - begin};
    return judo_ops_cpu()->adamw(&arrays, &all, 1, options);
}

static judo_status update_block(judo_zero3 *zero3, const block *b, int turn,
                                const judo_adamw *options)
{
    const judo_zero3_run *run = b->run;
    const bool is_f32 = zero3->base.compute_dtype == JUDO_F32;
    JUDO_TRY(zero3->device->stream_finish(zero3->offload.queue[turn]));
    for (int s = b->first_segment; s < run->num_segments && run->segments[s].begin < b->end;
         s++) {
        JUDO_TRY(update_segment(zero3, b, &run->segments[s], turn, options));
    }
    return zero3->device->copy(
        judo_zero3_compute_at(zero3, run->unit, b->begin),
        is_f32 ? (const void *)judo_zero3_master_at(zero3, run->unit, b->begin)
               : zero3->offload.rounded[turn],
        (b->end - b->begin) * judo_dtype_bytes(zero3->base.compute_dtype),
        zero3->offload.queue[turn]);
}

judo_status judo_zero3_offload_update(judo_zero3 *zero3, const judo_adamw *options)
{
    const block before = {NULL, 0, 0, 0};
    block own = next_block(zero3, &before);
    int turn = 0;
    JUDO_TRY(zero3->device->stream_finish(NULL)); /* gradients are final */
    JUDO_TRY(fetch_gradient(zero3, &own, turn));
    while (own.run != NULL) {
        block next = next_block(zero3, &own);
        JUDO_TRY(fetch_gradient(zero3, &next, 1 - turn));
        JUDO_TRY(update_block(zero3, &own, turn, options));
        own = next;
        turn = 1 - turn;
    }
    JUDO_TRY(zero3->device->stream_finish(zero3->offload.queue[0]));
    return zero3->device->stream_finish(zero3->offload.queue[1]);
}

judo_status judo_zero3_offload_refresh(judo_zero3 *zero3, int unit)
{
    enum { BLOCK = 16384 };

    uint16_t rounded[BLOCK];
    const judo_dtype dtype = zero3->base.compute_dtype;
    const int64_t count = zero3->map.slice[unit];
    if (dtype == JUDO_F32) {
        return zero3->device->copy(judo_zero3_compute_at(zero3, unit, 0),
                                   judo_zero3_master_at(zero3, unit, 0),
                                   count * (int64_t)sizeof(float), NULL);
    }
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t part = count - at < BLOCK ? count - at : BLOCK;
        judo_convert_from_f32(rounded, dtype, judo_zero3_master_at(zero3, unit, at), part);
        JUDO_TRY(zero3->device->copy(judo_zero3_compute_at(zero3, unit, at), rounded,
                                     part * judo_dtype_bytes(dtype), NULL));
    }
    return JUDO_OK;
}
