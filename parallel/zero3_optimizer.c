/* parallel/zero3_optimizer.c: norm, clipping and AdamW on the shards. */
#include <math.h>

#include "parallel/agree.h"
#include "parallel/zero3_state.h"

static judo_status check_trainable(const judo_zero3 *zero3)
{
    if (zero3->gradients == NULL) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "optimizer step on parameters that are frozen");
    }
    return JUDO_OK;
}

static judo_status owned_sum_of_squares(judo_zero3 *zero3, double *sum)
{
    double total = 0;
    for (int i = 0; i < zero3->runs.num_owned; i++) {
        const judo_zero3_span *span = &zero3->runs.owned[i];
        const judo_tensor gradient =
            judo_tensor_1d(zero3->gradients + span->first, JUDO_F32, span->count);
        double part;
        JUDO_TRY(zero3->device->ops->sum_of_squares(&part, &gradient));
        total += part;
    }
    *sum = total;
    return JUDO_OK;
}

judo_status judo_zero3_gradient_norm(judo_zero3 *zero3, double *norm)
{
    JUDO_TRY(check_trainable(zero3));
    double sum = 0;
    JUDO_TRY(judo_zero3_gradients_reduce(zero3));
    if (zero3->options.deterministic_passes > 0) {
        return judo_zero3_tree_norm(zero3, norm);
    }
    JUDO_TRY(judo_agree(zero3->comm, owned_sum_of_squares(zero3, &sum)));
    JUDO_TRY(judo_comm_sum_f64(zero3->comm, &sum, 1));
    *norm = sqrt(sum);
    return JUDO_OK;
}

/* The first whose owned part has an element that is not finite; num_params if none has. */
static judo_status first_damaged(judo_zero3 *zero3, int *param)
{
    int num_params = zero3->map.layout->num_params;
    for (int p = 0; p < num_params; p++) {
        judo_shard_range range = judo_shard_owned(&zero3->map, p);
        double sum = 0;
        if (range.count > 0 && !range.frozen) {
            const judo_tensor gradient = judo_tensor_1d(
                judo_zero3_gradient_at(zero3, range.unit, range.at), JUDO_F32, range.count);
            JUDO_TRY(zero3->device->ops->sum_of_squares(&sum, &gradient));
        }
        if (!isfinite(sum)) {
            *param = p;
            return JUDO_OK;
        }
    }
    *param = num_params;
    return JUDO_OK;
}

judo_status judo_zero3_damaged_gradient(judo_zero3 *zero3, int *param)
{
    int num_params = zero3->map.layout->num_params;
    int own = num_params;
    JUDO_TRY(check_trainable(zero3));
    JUDO_TRY(judo_agree(zero3->comm, first_damaged(zero3, &own)));
    int64_t behind = num_params - own;
    JUDO_TRY(judo_comm_max_i64(zero3->comm, &behind, 1));
    *param = behind > 0 ? num_params - (int)behind : -1;
    return JUDO_OK;
}

static judo_status update_run(judo_zero3 *zero3, const judo_zero3_run *run,
                              const judo_adamw *options)
{
    const int64_t moment = zero3->map.trainable_position[run->unit];
    const judo_adamw_arrays arrays = {
        .weights = judo_zero3_master_at(zero3, run->unit, 0),
        .bf16 = zero3->base.compute_dtype == JUDO_BF16
                    ? judo_zero3_compute_at(zero3, run->unit, 0)
                    : NULL,
        .low = judo_zero3_is_split(zero3) ? judo_zero3_low_at(zero3, run->unit, 0) : NULL,
        .first_moment = zero3->first_moment + moment,
        .second_moment = zero3->second_moment + moment,
        .gradient = judo_zero3_gradient_at(zero3, run->unit, 0),
        .gradient_dtype = JUDO_F32,
        .n = run->count};
    return zero3->device->ops->adamw(&arrays, run->segments, run->num_segments, options);
}

/* Ranks that store the same slice compute the same. */
static judo_status update_stored(judo_zero3 *zero3, const judo_adamw *options)
{
    if (zero3->options.offload) {
        return judo_zero3_offload_update(zero3, options);
    }
    for (int i = 0; i < zero3->runs.num_runs; i++) {
        JUDO_TRY(update_run(zero3, &zero3->runs.runs[i], options));
    }
    return JUDO_OK;
}

judo_status judo_zero3_step(judo_zero3 *zero3, const judo_adamw *options, double max_norm,
                            judo_zero3_update *out)
{
    double norm = 0;
    JUDO_TRY(judo_zero3_refresh(zero3));
    JUDO_TRY(judo_zero3_gradient_norm(zero3, &norm));
    norm *= fabs((double)options->gradient_scale);
    judo_zero3_update update = {.gradient_norm = norm, .clip_scale = 1};
    if (!isfinite(norm)) {
        *out = update;
        return JUDO_OK;
    }
    /* As torch.nn.utils.clip_grad_norm_. */
    if (max_norm > 0 && max_norm / (norm + 1e-6) < 1) {
        update.clip_scale = max_norm / (norm + 1e-6);
    }
    judo_adamw clipped = *options;
    clipped.gradient_scale = (float)((double)options->gradient_scale * update.clip_scale);
    JUDO_TRY(judo_zero3_arena_forget(zero3));
    JUDO_TRY(judo_zero3_gradients_share(zero3));
    JUDO_TRY(judo_agree(zero3->comm, update_stored(zero3, &clipped)));
    update.applied = true;
    *out = update;
    return JUDO_OK;
}
