/* tests/parallel/fake_collectives.c: collectives over memory that the ranks of this machine
 * share: every rank puts what it brings into its own part, and takes when all have. */
#include "tests/parallel/fake_device.h"

#include <mpi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fake_faults fake;
fake_counts fake_seen;

enum { PART_BYTES = 2 << 20, GENERATION = 1 << 20 /* exchanges of one group at most */ };

typedef struct part {
    _Atomic int64_t put, taken; /* number of the exchange */
    char content[PART_BYTES];
} part;

static part *parts[64]; /* of every rank */

struct judo_device_group {
    int rank, size;
    int64_t first, last; /* numbers of exchanges, larger in every later group */
    int unsettled;       /* times to say no */
    int asked;
    judo_stream *stream; /* that its exchanges are queued on */
    bool joining;
    void *buffers[4];
    int num_buffers;
};

void fake_share_memory(void)
{
    MPI_Win window;
    void *own;
    int size = 0;
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    (void)MPI_Win_allocate_shared(sizeof(part), 1, MPI_INFO_NULL, MPI_COMM_WORLD, &own,
                                  &window);
    for (int r = 0; r < size; r++) {
        MPI_Aint bytes;
        int unit;
        (void)MPI_Win_shared_query(window, r, &bytes, &unit, &parts[r]);
    }
}

static bool all_came(const judo_device_group *group, int64_t number, bool taken)
{
    for (int r = 0; r < group->size; r++) {
        if (atomic_load(taken ? &parts[r]->taken : &parts[r]->put) < number) {
            return false;
        }
    }
    return true;
}

static judo_status place(char out[JUDO_DEVICE_PLACE_BYTES])
{
    int rank = 0;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)snprintf(out, JUDO_DEVICE_PLACE_BYTES, "fake %d", rank);
    if (fake.place) {
        (void)snprintf(out, JUDO_DEVICE_PLACE_BYTES, "%s", fake.place);
    }
    return JUDO_OK;
}

static judo_status make_id(unsigned char id[JUDO_DEVICE_GROUP_ID])
{
    static int64_t generation;
    generation++;
    memset(id, 7, JUDO_DEVICE_GROUP_ID);
    memcpy(id, &generation, sizeof generation);
    return JUDO_OK;
}

static void after_call(judo_device_group *group)
{
    group->unsettled = fake.slow_settling;
}

/* Formed when all members have brought the same number. */
static judo_status begin(judo_device_group **out, const unsigned char *id, int rank, int size)
{
    int64_t generation;
    if (fake.refuses_to_begin) {
        return JUDO_FAIL(JUDO_ERROR_COMM, "fake: refuses to begin");
    }
    judo_device_group *group = calloc(1, sizeof *group);
    memcpy(&generation, id, sizeof generation);
    *group = (judo_device_group){.rank = rank, .size = size, .joining = true};
    group->first = group->last = generation * GENERATION;
    atomic_store(&parts[rank]->put, group->first);
    atomic_store(&parts[rank]->taken, group->first);
    fake_seen.begun++;
    after_call(group);
    *out = group;
    return JUDO_OK;
}

static judo_status settled(judo_device_group *group, bool *done)
{
    fake_progress();
    group->asked++;
    if (fake.error_after > 0 && group->asked >= fake.error_after) {
        return JUDO_FAIL(JUDO_ERROR_COMM, "fake: remote process exited");
    }
    if (group->joining && all_came(group, group->first, false)) {
        group->joining = false;
    }
    *done = !fake.never_settles && !group->joining && group->unsettled == 0;
    group->unsettled -= group->unsettled > 0;
    return JUDO_OK;
}

static void free_group(judo_device_group *group)
{
    for (int i = 0; i < group->num_buffers; i++) {
        fake_device()->release(group->buffers[i]);
        fake_seen.buffers--;
    }
    free(group);
}

static judo_status close_group(judo_device_group *group)
{
    after_call(group);
    return JUDO_OK;
}

static void release_group(judo_device_group *group)
{
    fake_seen.released++;
    free_group(group);
}

static void force_end(judo_device_group *group)
{
    fake_seen.aborted++;
    if (group->stream) {
        fake_drop(group->stream);
    }
    free_group(group);
}

/* An exchange on its way: put, await the others', take. */
typedef struct exchange_work {
    judo_device_group *group;
    int64_t number;

    enum { GATHER, REDUCE, EXCHANGE } kind;

    const char *from;
    char *to;
    int64_t bytes; /* of a slice or piece */
    bool put;
} exchange_work;

/* In the order of falling ranks: not the order of the other communicators. */
static void sum_falling(const exchange_work *w)
{
    float *to = (float *)w->to;
    for (int64_t i = 0; i < w->bytes / 4; i++) {
        float sum = 0;
        for (int r = w->group->size - 1; r >= 0; r--) {
            float value;
            memcpy(&value, parts[r]->content + w->group->rank * w->bytes + 4 * i, 4);
            sum = r == w->group->size - 1 ? value : sum + value;
        }
        to[i] = sum;
    }
}

static void take(const exchange_work *w)
{
    if (w->kind == REDUCE) {
        sum_falling(w);
        return;
    }
    for (int r = 0; r < w->group->size; r++) {
        int64_t at = w->kind == EXCHANGE ? w->group->rank * w->bytes : 0;
        memcpy(w->to + r * w->bytes, parts[r]->content + at, (size_t)w->bytes);
    }
}

static bool step(void *work)
{
    exchange_work *w = work;
    part *own = parts[w->group->rank];
    if (fake.never_completes) {
        return false;
    }
    if (!w->put) {
        if (!all_came(w->group, w->number - 1, true)) {
            return false;
        }
        memcpy(own->content, w->from,
               (size_t)(w->kind == GATHER ? w->bytes : w->bytes * w->group->size));
        atomic_store(&own->put, w->number);
        w->put = true;
    }
    if (!all_came(w->group, w->number, false)) {
        return false;
    }
    take(w);
    atomic_store(&own->taken, w->number);
    return true;
}

static judo_status start(judo_device_group *group, exchange_work work, judo_stream *stream)
{
    if (work.bytes * group->size > PART_BYTES || group->unsettled > 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "fake: %lld bytes, or a call before it settled",
                         (long long)work.bytes);
    }
    work.group = group;
    work.number = ++group->last;
    group->stream = stream;
    after_call(group);
    return fake_queue(stream, step, &work, sizeof work);
}

static judo_status all_gather(judo_device_group *group, const void *slice, int64_t slice_bytes,
                              void *out, judo_stream *stream)
{
    return start(
        group, (exchange_work){.kind = GATHER, .from = slice, .to = out, .bytes = slice_bytes},
        stream);
}

static judo_status reduce_scatter(judo_device_group *group, const float *values, float *sums,
                                  int64_t slice, judo_stream *stream)
{
    return start(group,
                 (exchange_work){.kind = REDUCE,
                                 .from = (const char *)values,
                                 .to = (char *)sums,
                                 .bytes = slice * 4},
                 stream);
}

static judo_status exchange(judo_device_group *group, const void *leaving, void *arriving,
                            int64_t piece_bytes, judo_stream *stream)
{
    return start(group,
                 (exchange_work){
                     .kind = EXCHANGE, .from = leaving, .to = arriving, .bytes = piece_bytes},
                 stream);
}

typedef struct pieces_work {
    char *pieces;
    const float *values;
    float *shard;
    int64_t slice, first, count;
    judo_dtype wire;
    int size;
    bool add;
} pieces_work;

static bool do_pack(void *work)
{
    const pieces_work *w = work;
    for (int r = 0; r < w->size; r++) {
        judo_convert_from_f32(w->pieces + r * w->count * judo_dtype_bytes(w->wire), w->wire,
                              w->values + r * w->slice + w->first, w->count);
    }
    return true;
}

static judo_status pack(void *pieces, judo_dtype wire, const float *values, int64_t slice,
                        int64_t first, int64_t count, int size, judo_stream *stream)
{
    pieces_work work = {.pieces = pieces,
                        .wire = wire,
                        .values = values,
                        .slice = slice,
                        .first = first,
                        .count = count,
                        .size = size};
    return fake_queue(stream, do_pack, &work, sizeof work);
}

static bool do_sum(void *work)
{
    const pieces_work *w = work;
    const int64_t element = judo_dtype_bytes(w->wire);
    for (int64_t i = 0; i < w->count; i++) {
        float sum = 0;
        for (int r = 0; r < w->size; r++) {
            float value;
            judo_convert_to_f32(&value, w->pieces + (r * w->count + i) * element, w->wire, 1);
            sum = r == 0 ? value : sum + value;
        }
        w->shard[i] = w->add ? w->shard[i] + sum : sum;
    }
    return true;
}

static judo_status sum(float *shard, bool add, const void *pieces, judo_dtype wire,
                       int64_t count, int size, judo_stream *stream)
{
    pieces_work work = {.shard = shard,
                        .add = add,
                        .pieces = (char *)(uintptr_t)pieces,
                        .wire = wire,
                        .count = count,
                        .size = size};
    return fake_queue(stream, do_sum, &work, sizeof work);
}

static judo_status allocate(judo_device_group *group, void **out, int64_t bytes)
{
    JUDO_TRY(fake_device()->allocate(out, bytes));
    group->buffers[group->num_buffers++] = *out;
    fake_seen.buffers++;
    after_call(group);
    return JUDO_OK;
}

static judo_status lend(judo_device_group *group, void *memory, int64_t bytes,
                        judo_device_loan *loan)
{
    if (!memory || bytes <= 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "fake: lent nothing");
    }
    *loan = fake.refuses_loans ? JUDO_LOAN_NONE : JUDO_LOAN_SHARED;
    fake_seen.lent += *loan == JUDO_LOAN_NONE ? 0 : bytes;
    fake_seen.last_lent = bytes;
    after_call(group);
    return JUDO_OK;
}

static judo_status take_back(judo_device_group *group)
{
    fake_seen.lent -= fake_seen.last_lent;
    after_call(group);
    return JUDO_OK;
}

const judo_device_collectives fake_collectives = {
    .description = "fake collectives",
    .place = place,
    .make_id = make_id,
    .begin = begin,
    .settled = settled,
    .close = close_group,
    .release = release_group,
    .force_end = force_end,
    .all_gather = all_gather,
    .reduce_scatter = reduce_scatter,
    .exchange = exchange,
    .pack = pack,
    .sum = sum,
    .allocate = allocate,
    .lend = lend,
    .take_back = take_back,
};
