/* parallel/replica_check.c: a checksum per unit, compared over the ranks.
 */
#include "parallel/replica_check.h"

#include <stdlib.h>

#include "parallel/agree.h"
#include "runtime/crc32c.h"

static judo_status checksum_units(judo_params *replica, int64_t *out)
{
    for (int u = 0; u < replica->layout->num_units; u++) {
        judo_tensor weights;
        JUDO_TRY(replica->ops->acquire(replica, u, -1, &weights));
        size_t bytes = (size_t)replica->layout->units[u].count *
                       (size_t)judo_dtype_bytes(replica->compute_dtype);
        out[u] = judo_crc32c(0, weights.data, bytes);
        JUDO_TRY(replica->ops->release(replica, u));
    }
    return JUDO_OK;
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

judo_status judo_replica_check(judo_comm *comm, judo_params *replica)
{
    size_t units = (size_t)replica->layout->num_units;
    if (comm->size == 1) {
        return JUDO_OK;
    }
    int64_t *own = calloc(units * ((size_t)comm->size + 1), sizeof *own);
    judo_status status =
        own != NULL ? checksum_units(replica, own)
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
