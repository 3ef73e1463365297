/* parallel/comm_mpi_reduce.c: the reduction over MPI: an all-to-all in buckets plus a local sum
 * in rank order, whatever arrived first. One bucket travels while another is summed. */
#include <string.h>

#include "parallel/comm_mpi.h"

static int64_t bucket_first(const judo_mpi_reduction *r, int64_t bucket)
{
    return bucket * r->width;
}

static int64_t bucket_count(const judo_mpi_reduction *r, int64_t bucket)
{
    int64_t rest = r->job.slice - bucket_first(r, bucket);
    return rest < r->width ? rest : r->width;
}

/* A half of the scratch: fp32 needs room for [size][width] pieces that arrive; bf16, at half
 * the bytes, for those and for as many that leave. */
static char *half_of(const judo_comm_mpi *self, int64_t bucket)
{
    int64_t bytes = self->reduction.width * self->base.size * (int64_t)sizeof(float);
    return self->scratch + (bucket % 2) * bytes;
}

/* Where rank `from`'s piece of a bucket arrives, or this rank's piece for `to` leaves. */
static char *arriving(const judo_comm_mpi *self, int64_t bucket, int from)
{
    const judo_mpi_reduction *r = &self->reduction;
    return half_of(self, bucket) + from * r->width * judo_dtype_bytes(r->job.wire);
}

static char *leaving(const judo_comm_mpi *self, int64_t bucket, int to)
{
    const judo_mpi_reduction *r = &self->reduction;
    const float *values = r->job.values + to * r->job.slice + bucket_first(r, bucket);
    return r->job.wire == JUDO_F32 ? (char *)values
                                   : arriving(self, bucket, self->base.size + to);
}

static judo_status post(judo_comm_mpi *self, int64_t bucket)
{
    judo_mpi_reduction *r = &self->reduction;
    judo_mpi_request *request = &self->halves[bucket % 2];
    int size = self->base.size;
    int rank = self->base.rank;
    int64_t count = bucket_count(r, bucket);
    int64_t bytes = count * judo_dtype_bytes(r->job.wire);
    request->sequence = r->sequence;
    request->num_parts = 0;
    for (int to = 0; r->job.wire != JUDO_F32 && to < size; to++) {
        judo_convert_from_f32(leaving(self, bucket, to), r->job.wire,
                              r->job.values + to * r->job.slice + bucket_first(r, bucket),
                              count);
    }
    for (int i = 1; i < size; i++) {
        int from = (rank - i + size) % size;
        int to = (rank + i) % size;
        JUDO_TRY(
            judo_mpi_post_receive(self, request, arriving(self, bucket, from), bytes, from));
        JUDO_TRY(judo_mpi_post_send(self, request, leaving(self, bucket, to), bytes, to));
    }
    return JUDO_OK;
}

enum { BLOCK = 1024 }; /* elements summed at once */

static void add_block(float *sum, const char *piece, judo_dtype wire, int64_t count)
{
    float converted[BLOCK];
    const float *values = (const float *)piece;
    if (wire != JUDO_F32) {
        judo_convert_to_f32(converted, piece, wire, count);
        values = converted;
    }
    for (int64_t i = 0; i < count; i++) {
        /* The conversion has filled `count` elements.
         * NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        sum[i] += values[i];
    }
}

/* Elements from `at` on of a rank's piece. */
static const char *piece_of(const judo_comm_mpi *self, int64_t bucket, int rank, int64_t at)
{
    const char *piece =
        rank == self->base.rank ? leaving(self, bucket, rank) : arriving(self, bucket, rank);
    return piece + at * judo_dtype_bytes(self->reduction.job.wire);
}

/* ((r0 + r1) + r2) + .. */
static void sum_in_turn(const judo_comm_mpi *self, int64_t bucket, int64_t at, int64_t count,
                        float *sum)
{
    judo_dtype wire = self->reduction.job.wire;
    judo_convert_to_f32(sum, piece_of(self, bucket, 0, at), wire, count);
    for (int rank = 1; rank < self->base.size; rank++) {
        add_block(sum, piece_of(self, bucket, rank, at), wire, count);
    }
}

/* (r0 + r1) + (r2 + r3), of `num` ranks from `first` on. */
static void sum_pairwise(const judo_comm_mpi *self, int64_t bucket, int64_t at, int64_t count,
                         int first, int num, float *sum)
{
    if (num == 1) {
        memcpy(sum, piece_of(self, bucket, first, at), (size_t)count * sizeof *sum);
        return;
    }
    float second[BLOCK];
    sum_pairwise(self, bucket, at, count, first, num / 2, sum);
    sum_pairwise(self, bucket, at, count, first + num / 2, num / 2, second);
    add_block(sum, (const char *)second, JUDO_F32, count);
}

static void sum_bucket(const judo_comm_mpi *self, int64_t bucket)
{
    const judo_mpi_reduction *r = &self->reduction;
    int64_t count = bucket_count(r, bucket);
    float *shard = r->job.shard + bucket_first(r, bucket);
    for (int64_t at = 0; at < count; at += BLOCK) {
        float sum[BLOCK];
        int64_t part = count - at < BLOCK ? count - at : BLOCK;
        if (r->job.pairwise) {
            sum_pairwise(self, bucket, at, part, 0, self->base.size, sum);
        } else {
            sum_in_turn(self, bucket, at, part, sum);
        }
        if (r->job.add) {
            add_block(shard + at, (const char *)sum, JUDO_F32, part);
        } else {
            memcpy(shard + at, sum, (size_t)part * sizeof *sum);
        }
    }
}

static judo_status advance(judo_comm_mpi *self, bool wait)
{
    judo_mpi_reduction *r = &self->reduction;
    while (r->active && r->num_summed < r->num_buckets) {
        judo_mpi_request *oldest = &self->halves[r->num_summed % 2];
        while (r->num_posted < r->num_buckets && r->num_posted < r->num_summed + 2) {
            JUDO_TRY(post(self, r->num_posted));
            r->num_posted++;
        }
        if (wait) {
            JUDO_TRY(judo_mpi_wait_parts(self, r->sequence, oldest->parts, oldest->num_parts));
        } else {
            int done = 0;
            JUDO_TRY(judo_mpi_check(
                self, MPI_Testall(oldest->num_parts, oldest->parts, &done, MPI_STATUSES_IGNORE),
                "MPI_Testall"));
            if (!done) {
                return JUDO_OK;
            }
        }
        sum_bucket(self, r->num_summed);
        r->num_summed++;
    }
    if (r->active) {
        judo_flight_end(&self->base.recorder, r->sequence);
        r->active = false;
    }
    return JUDO_OK;
}

judo_status judo_mpi_reduce_start(judo_comm *comm, int64_t sequence,
                                  const judo_reduction *reduction)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    int64_t width = comm->bucket_bytes / 2 / (int64_t)sizeof(float) / comm->size;
    width = width > 0 ? width : 1;
    self->reduction =
        (judo_mpi_reduction){.active = true,
                             .job = *reduction,
                             .sequence = sequence,
                             .width = width,
                             .num_buckets = (reduction->slice + width - 1) / width};
    return advance(self, false);
}

judo_status judo_mpi_reduce_test(judo_comm *comm, bool *done)
{
    judo_comm_mpi *self = (judo_comm_mpi *)comm;
    JUDO_TRY(advance(self, false));
    *done = !self->reduction.active;
    return JUDO_OK;
}

judo_status judo_mpi_reduce_finish(judo_comm *comm)
{
    return advance((judo_comm_mpi *)comm, true);
}

judo_status judo_mpi_reduce_advance(judo_comm_mpi *self)
{
    return advance(self, false);
}
