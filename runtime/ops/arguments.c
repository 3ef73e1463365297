/* runtime/ops/arguments.c: checks of what the slots of the table are called with. */
#include "runtime/ops/arguments.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHAPE_TEXT = 128 };

static const char *shape_text(char text[SHAPE_TEXT], const int64_t *dims, int num_dims)
{
    int length = snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < num_dims && length < SHAPE_TEXT - 2; i++) {
        length += snprintf(text + length, (size_t)(SHAPE_TEXT - length), "%s%" PRId64,
                           i > 0 ? "," : "", dims[i]);
    }
    if (length < SHAPE_TEXT - 1) {
        snprintf(text + length, (size_t)(SHAPE_TEXT - length), "]");
    }
    return text;
}

static judo_status expect(const char *op, const char *argument, const judo_tensor *tensor,
                          judo_dtype dtype, const int64_t *dims, int num_dims)
{
    if (tensor->dtype != dtype) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: %s has dtype %s, expected %s", op,
                         argument, judo_dtype_name(tensor->dtype), judo_dtype_name(dtype));
    }
    bool same = tensor->num_dims == num_dims;
    for (int i = 0; same && i < num_dims; i++) {
        same = tensor->dims[i] == dims[i];
    }
    if (!same) {
        char has[SHAPE_TEXT];
        char wants[SHAPE_TEXT];
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has shape %s, expected %s", op, argument,
                         shape_text(has, tensor->dims, tensor->num_dims),
                         shape_text(wants, dims, num_dims));
    }
    if (!tensor->data && judo_tensor_count(tensor) > 0) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has no memory", op, argument);
    }
    return JUDO_OK;
}

judo_status judo_expect_1d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a)
{
    return expect(op, argument, tensor, dtype, &a, 1);
}

judo_status judo_expect_2d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a, int64_t b)
{
    return expect(op, argument, tensor, dtype, (const int64_t[]){a, b}, 2);
}

judo_status judo_expect_3d(const char *op, const char *argument, const judo_tensor *tensor,
                           judo_dtype dtype, int64_t a, int64_t b, int64_t c)
{
    return expect(op, argument, tensor, dtype, (const int64_t[]){a, b, c}, 3);
}

judo_status judo_expect_like(const char *op, const char *argument, const judo_tensor *tensor,
                             const judo_tensor *like)
{
    return expect(op, argument, tensor, like->dtype, like->dims, like->num_dims);
}

judo_status judo_expect_dims(const char *op, const char *argument, const judo_tensor *tensor,
                             int num_dims)
{
    if (tensor->dtype != JUDO_F32 && tensor->dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: %s has dtype %s; ops compute on F32 and BF16", op, argument,
                         judo_dtype_name(tensor->dtype));
    }
    if (num_dims == 0 ? tensor->num_dims < 1 : tensor->num_dims != num_dims) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL, "%s: %s has %d dimensions, expected %s%d", op,
                         argument, tensor->num_dims, num_dims == 0 ? "at least " : "",
                         num_dims == 0 ? 1 : num_dims);
    }
    return expect(op, argument, tensor, tensor->dtype, tensor->dims, tensor->num_dims);
}

int64_t judo_row_width(const judo_tensor *tensor)
{
    int64_t width = 1;
    for (int i = 1; i < tensor->num_dims; i++) {
        width *= tensor->dims[i];
    }
    return width;
}

static judo_status check_row_shapes(const char *op, const judo_tensor *listed,
                                    const judo_tensor *indexed, judo_dtype dtype, int64_t count)
{
    JUDO_TRY(judo_expect_dims(op, "the list of rows", listed, 0));
    JUDO_TRY(judo_expect_dims(op, "the indexed tensor", indexed, 0));
    if (indexed->dtype != dtype) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: the indexed tensor has dtype %s, expected %s", op,
                         judo_dtype_name(indexed->dtype), judo_dtype_name(dtype));
    }
    if (count < 0 || listed->dims[0] != count ||
        judo_row_width(listed) != judo_row_width(indexed)) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "%s: %" PRId64 " indices for %" PRId64 " rows of %" PRId64
                         " elements against rows of %" PRId64,
                         op, count, listed->dims[0], judo_row_width(listed),
                         judo_row_width(indexed));
    }
    return JUDO_OK;
}

static judo_status check_indices(const char *op, const int32_t *index, int64_t count,
                                 int64_t rows)
{
    for (int64_t i = 0; i < count; i++) {
        if (index[i] < 0 || index[i] >= rows) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: index[%" PRId64 "] = %" PRId32 " is outside of %" PRId64
                             " rows",
                             op, i, index[i], rows);
        }
    }
    return JUDO_OK;
}

judo_status judo_rows_check(const char *op, const judo_tensor *listed,
                            const judo_tensor *indexed, judo_dtype dtype, const int32_t *index,
                            int64_t count)
{
    JUDO_TRY(check_row_shapes(op, listed, indexed, dtype, count));
    return check_indices(op, index, count, indexed->dims[0]);
}

judo_status judo_drawn_rows_check(const judo_tensor *y, const judo_tensor *x, int64_t num_draws,
                                  const int32_t *places, int64_t count)
{
    JUDO_TRY(check_row_shapes("gather_drawn_rows", y, x, y->dtype, count));
    return check_indices("gather_drawn_rows", places, count, num_draws);
}

judo_status judo_head_loss_check(const judo_tensor *dhidden, const judo_tensor *dw,
                                 const judo_tensor *hidden, const judo_tensor *w,
                                 const int32_t *targets, const judo_token_loss *spec,
                                 int64_t chunk_rows)
{
    const char *op = "head_loss";
    JUDO_TRY(judo_expect_dims(op, "hidden", hidden, 2));
    JUDO_TRY(judo_expect_dims(op, "w", w, 2));
    JUDO_TRY(judo_expect_2d(op, "w", w, hidden->dtype, w->dims[0], hidden->dims[1]));
    if (dhidden) {
        JUDO_TRY(judo_expect_like(op, "dhidden", dhidden, hidden));
    }
    if (dw) {
        JUDO_TRY(judo_expect_2d(op, "dw", dw, JUDO_F32, w->dims[0], w->dims[1]));
    }
    if (chunk_rows < 1 || !(spec->temperature > 0.0f) ||
        (spec->kind == JUDO_LOSS_POLICY && hidden->dims[0] > 0 &&
         (!spec->advantages || (spec->kl_beta != 0.0f && !spec->ref_logprobs)))) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "%s: chunk of %" PRId64 " rows, temperature %g%s",
                         op, chunk_rows, (double)spec->temperature,
                         spec->kind == JUDO_LOSS_POLICY
                             ? ", or no advantages or reference log-probabilities"
                             : "");
    }
    for (int64_t i = 0; i < hidden->dims[0]; i++) {
        if (targets[i] < 0 || targets[i] >= w->dims[0]) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "%s: targets[%" PRId64 "] = %" PRId32
                             " is outside of the vocabulary of %" PRId64,
                             op, i, targets[i], w->dims[0]);
        }
    }
    return JUDO_OK;
}

static judo_status check_sampling(const judo_sampling *sampling, float logprob_temperature,
                                  int64_t vocabulary)
{
    if (!(sampling->temperature >= 0.0f) || sampling->top_k < 0 ||
        !(sampling->top_p >= 0.0f && sampling->top_p <= 1.0f) ||
        !(sampling->min_p >= 0.0f && sampling->min_p <= 1.0f) ||
        !(sampling->repetition_penalty > 0.0f) || !(logprob_temperature > 0.0f) ||
        vocabulary < 1 || vocabulary > INT32_MAX) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "sample: temperature %g, top_k %" PRId32
                         ", top_p %g, min_p %g, repetition_penalty %g, temperature of "
                         "log-probabilities %g, vocabulary %" PRId64 ": one is out of range",
                         (double)sampling->temperature, sampling->top_k,
                         (double)sampling->top_p, (double)sampling->min_p,
                         (double)sampling->repetition_penalty, (double)logprob_temperature,
                         vocabulary);
    }
    return JUDO_OK;
}

judo_status judo_sample_check(const judo_draw_memory *memory, const judo_tensor *logits,
                              const judo_draw_row *rows, const judo_sampling *sampling,
                              float logprob_temperature)
{
    JUDO_TRY(judo_expect_dims("sample", "logits", logits, 2));
    JUDO_TRY(
        judo_expect_2d("sample", "logits", logits, JUDO_F32, logits->dims[0], logits->dims[1]));
    JUDO_TRY(check_sampling(sampling, logprob_temperature, logits->dims[1]));
    for (int64_t b = 0; b < logits->dims[0]; b++) {
        const judo_draw_row *row = &rows[b];
        if (row->place < 0 || row->place >= memory->num_draws ||
            (memory->seen && (row->seen < 0 || row->seen >= memory->num_seen))) {
            return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                             "sample: row %" PRId64 " draws into place %" PRId32 " of %" PRId64
                             " and has marks %" PRId32 " of %" PRId64,
                             b, row->place, memory->num_draws, row->seen, memory->num_seen);
        }
    }
    return JUDO_OK;
}

static judo_status check_arrays(const judo_adamw_arrays *arrays)
{
    const bool halves = arrays->weights == NULL && arrays->bf16 != NULL && arrays->low != NULL;
    const bool whole = arrays->weights != NULL && arrays->low == NULL;
    if (arrays->gradient_dtype != JUDO_F32 && arrays->gradient_dtype != JUDO_BF16) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "adamw: gradients in %s; F32 and BF16 are built",
                         judo_dtype_name(arrays->gradient_dtype));
    }
    if (arrays->n < 0 || (arrays->n > 0 && (!(halves || whole) || !arrays->first_moment ||
                                            !arrays->second_moment || !arrays->gradient))) {
        return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                         "adamw: %" PRId64 " weights that are neither fp32 nor halves, or "
                         "lack moments or gradients",
                         arrays->n);
    }
    return JUDO_OK;
}

judo_status judo_adamw_check(const judo_adamw_arrays *arrays,
                             const judo_adamw_segment *segments, int num_segments,
                             const judo_adamw *options)
{
    int64_t end = 0;
    JUDO_TRY(check_arrays(arrays));
    for (int i = 0; i < num_segments; i++) {
        if (segments[i].begin < end || segments[i].end < segments[i].begin ||
            segments[i].end > arrays->n) {
            return JUDO_FAIL(JUDO_ERROR_INTERNAL,
                             "adamw: segment %d is [%" PRId64 ", %" PRId64 ") of %" PRId64
                             " elements, behind one that ends at %" PRId64,
                             i, segments[i].begin, segments[i].end, arrays->n, end);
        }
        end = segments[i].end;
    }
    if (options->step < 1) {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                         "adamw: step %" PRId64 "; the first update is step 1", options->step);
    }
    return JUDO_OK;
}
