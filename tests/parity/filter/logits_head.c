/* tests/parity/filter/logits_head.c: logits through the fused head, unchanged by a product with
 * the identity. */
#include "tests/parity/filter/logits_head.h"

#include <stdlib.h>

judo_status logits_head_numbers(const judo_json *request, const char *key, const char *source,
                                int64_t count, float **out)
{
    const judo_json *array = judo_json_get(request, key);
    *out = NULL;
    if (judo_json_is_null(array)) {
        return JUDO_OK;
    }
    if (!judo_json_is_array(array) || judo_json_size(array) != count) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: '%s' must be %lld numbers", source, key,
                         (long long)count);
    }
    float *values = calloc((size_t)count + 1, sizeof *values);
    if (!values) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for '%s'", key);
    }
    int64_t at = 0;
    for (const judo_json *item = judo_json_first(array); item; item = judo_json_next(item)) {
        double value;
        judo_status status = judo_json_as_double(item, source, &value);
        if (status != JUDO_OK) {
            free(values);
            return status;
        }
        values[at++] = (float)value;
    }
    *out = values;
    return JUDO_OK;
}

static judo_status allocate(logits_head *head)
{
    int64_t rows = head->rows;
    int64_t v = head->vocabulary;
    head->targets = calloc((size_t)rows + 1, sizeof *head->targets);
    head->sequences = calloc((size_t)rows + 1, sizeof *head->sequences);
    head->weights = calloc((size_t)rows + 1, sizeof *head->weights);
    head->logprobs = calloc((size_t)rows + 1, sizeof *head->logprobs);
    head->entropies = calloc((size_t)rows + 1, sizeof *head->entropies);
    float *data = calloc((size_t)(2 * rows * v + v * v), sizeof *data);
    if (!head->targets || !head->sequences || !head->weights || !head->logprobs ||
        !head->entropies || !data) {
        free(data);
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "no memory for %d rows", head->rows);
    }
    head->logits = judo_tensor_2d(data, JUDO_F32, rows, v);
    head->gradient = judo_tensor_2d(data + rows * v, JUDO_F32, rows, v);
    head->identity = judo_tensor_2d(data + 2 * rows * v, JUDO_F32, v, v);
    for (int64_t i = 0; i < v; i++) {
        data[2 * rows * v + i * v + i] = 1.0f;
    }
    return JUDO_OK;
}

static judo_status read_logits(const judo_json *rows, const char *source, logits_head *head)
{
    float *at = head->logits.data;
    for (const judo_json *row = judo_json_first(rows); row; row = judo_json_next(row)) {
        if (judo_json_size(row) != head->vocabulary) {
            return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: rows of logits differ in length", source);
        }
        for (const judo_json *item = judo_json_first(row); item; item = judo_json_next(item)) {
            double value;
            JUDO_TRY(judo_json_as_double(item, source, &value));
            *at++ = (float)value;
        }
    }
    return JUDO_OK;
}

static judo_status read_sequences(const judo_json *lengths, const char *source,
                                  logits_head *head)
{
    int64_t row = 0;
    int32_t sequence = 0;
    for (const judo_json *item = judo_json_first(lengths); item; item = judo_json_next(item)) {
        int64_t length;
        JUDO_TRY(judo_json_as_int(item, source, &length));
        for (int64_t t = 0; t < length && row < head->rows; t++) {
            head->sequences[row++] = sequence;
        }
        sequence++;
    }
    return row == head->rows
               ? JUDO_OK
               : JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: 'lengths' of %d rows", source, head->rows);
}

judo_status logits_head_open(const judo_json *request, const char *source, logits_head *out)
{
    const judo_json *logits = judo_json_get(request, "logits");
    float *targets = NULL;
    *out = (logits_head){.rows = judo_json_size(logits),
                         .vocabulary = judo_json_size(judo_json_first(logits))};
    if (out->rows < 1 || out->vocabulary < 1) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no logits", source);
    }
    JUDO_TRY(allocate(out));
    JUDO_TRY(read_logits(logits, source, out));
    JUDO_TRY(read_sequences(judo_json_get(request, "lengths"), source, out));
    JUDO_TRY(logits_head_numbers(request, "targets", source, out->rows, &targets));
    if (!targets) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: no targets", source);
    }
    for (int32_t i = 0; i < out->rows; i++) {
        out->targets[i] = (int32_t)targets[i];
    }
    free(targets);
    return JUDO_OK;
}

void logits_head_close(logits_head *head)
{
    free(head->logits.data);
    free(head->targets);
    free(head->sequences);
    free(head->weights);
    free(head->logprobs);
    free(head->entropies);
    *head = (logits_head){0};
}

judo_status logits_head_run(logits_head *head, const judo_token_loss *loss, bool backward,
                            judo_token_result *result)
{
    enum { CHUNK_ROWS = 7 };

    result->logprobs = head->logprobs;
    result->entropies = head->entropies;
    return judo_ops_cpu()->head_loss(result, backward ? &head->gradient : NULL, NULL,
                                     &head->logits, &head->identity, head->targets, loss, NULL,
                                     CHUNK_ROWS);
}

void logits_head_put(judo_json_writer *answer, const char *key, const float *values,
                     int64_t count)
{
    judo_json_begin_array(answer, key);
    for (int64_t i = 0; i < count; i++) {
        judo_json_put_float(answer, NULL, values[i]);
    }
    judo_json_end_array(answer);
}
