/* parallel/replica_check.c: a checksum per unit, compared over the ranks.
 */
#include "parallel/replica_check.h"

#include <stdlib.h>

#include "parallel/agree.h"
#include "runtime/crc32c.h"

/* What the host cannot read comes in blocks through staging memory. */
typedef struct reader {
    const judo_device *device;
    void *block; /* [JUDO_REPLICA_CHECK_BYTES]; NULL: the host reads the device's memory */
} reader;

static judo_status checksum(const reader *self, const char *data, int64_t bytes, int64_t *out)
{
    uint32_t sum = 0;
    if (self->block == NULL) {
        *out = judo_crc32c(0, data, (size_t)bytes);
        return JUDO_OK;
    }
    for (int64_t at = 0; at < bytes; at += JUDO_REPLICA_CHECK_BYTES) {
        int64_t part =
            bytes - at < JUDO_REPLICA_CHECK_BYTES ? bytes - at : JUDO_REPLICA_CHECK_BYTES;
        JUDO_TRY(self->device->copy(self->block, data + at, part, NULL));
        JUDO_TRY(self->device->stream_finish(NULL));
        sum = judo_crc32c(sum, self->block, (size_t)part);
    }
    *out = sum;
    return JUDO_OK;
}

static judo_status checksum_each(const reader *self, judo_params *replica, int64_t *out)
{
    for (int u = 0; u < replica->layout->num_units; u++) {
        judo_tensor weights;
        JUDO_TRY(replica->ops->acquire(replica, u, -1, &weights));
        int64_t bytes =
            replica->layout->units[u].count * judo_dtype_bytes(replica->compute_dtype);
        JUDO_TRY(checksum(self, weights.data, bytes, &out[u]));
        JUDO_TRY(replica->ops->release(replica, u));
    }
    return JUDO_OK;
}

static judo_status checksum_units(const judo_device *device, judo_params *replica, int64_t *out)
{
    reader self = {.device = device};
    if (!device->separate) {
        return checksum_each(&self, replica, out);
    }
    JUDO_TRY(device->allocate_staging(&self.block, JUDO_REPLICA_CHECK_BYTES));
    judo_status status = checksum_each(&self, replica, out);
    device->release_staging(self.block);
    return status;
}

/* A rank that differs from a value that more than half of the ranks have; -1 if no value has
 * such a majority. `values` has one per rank, `stride` apart, not all equal. */
static int find_odd_rank(const int64_t *values, int num_ranks, int stride)
{
    for (int r = 0; r < num_ranks; r++) {
        int alike = 0;
        int odd = -1;
        for (int other = 0; other < num_ranks; other++) {
            bool same = values[other * stride] == values[r * stride];
            alike += same;
            odd = same ? odd : other;
        }
        if (2 * alike > num_ranks) {
            return odd;
        }
    }
    return -1;
}

static bool all_equal(const int64_t *values, int num_ranks, int stride)
{
    for (int r = 1; r < num_ranks; r++) {
        if (values[r * stride] != values[0]) {
            return false;
        }
    }
    return true;
}

/* All ranks see the same sums, so all come to the same verdict. */
static judo_status compare(const judo_comm *comm, const judo_param_layout *layout,
                           const int64_t *all)
{
    for (int u = 0; u < layout->num_units; u++) {
        if (all_equal(all + u, comm->size, layout->num_units)) {
            continue;
        }
        int odd = find_odd_rank(all + u, comm->size, layout->num_units);
        if (odd < 0) {
            return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                             "the ranks hold different weights of unit %s: memory or a "
                             "processor is faulty; go on from the last checkpoint elsewhere",
                             layout->units[u].name);
        }
        return JUDO_FAIL(JUDO_ERROR_NUMERIC,
                         "the weights of unit %s on rank %d are not those of the others: its "
                         "memory or processor is faulty; go on from the last checkpoint "
                         "without its machine",
                         layout->units[u].name, odd);
    }
    return JUDO_OK;
}

judo_status judo_replica_check(judo_comm *comm, const judo_device *device, judo_params *replica)
{
    size_t units = (size_t)replica->layout->num_units;
    if (comm->size == 1) {
        return JUDO_OK;
    }
    int64_t *own = calloc(units * ((size_t)comm->size + 1), sizeof *own);
    judo_status status =
        own != NULL ? checksum_units(device, replica, own)
                    : JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %zu checksums", units);
    status = judo_agree(comm, status);
    if (status == JUDO_OK && own != NULL) {
        int64_t *all = own + units;
        status = judo_comm_all_gather(comm, own, (int64_t)(units * sizeof *own), all);
        if (status == JUDO_OK) {
            status = compare(comm, replica->layout, all);
        }
    }
    free(own);
    return status;
}
