/* tests/models/test_bf16.c: the model in bf16: its distance from transformers' fp32 beside
 * transformers' own in bf16 (tests/golden/make/bf16.py), and its buffers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/models/fixture.h"

enum { LOGITS, GRADIENT, NUM_QUANTITIES };

static judo_model_options bf16_options(judo_recompute recompute)
{
    judo_model_options options = fixture_options(recompute);
    options.dtype = JUDO_BF16;
    return options;
}

static void run_backward(loaded *l, const built_batch *b)
{
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NLL, .scale = 1.0 / b->batch.num_targets, .temperature = 1.0f};
    judo_token_result result = {0};
    assert_ok(judo_local_params_zero_gradients(l->params));
    assert_ok(judo_model_run(l->model, judo_local_params_base(l->params), &b->batch, &loss,
                             true, &result));
}

static double logits_distance(const fixture *f, loaded *l, const built_batch *b)
{
    int64_t count;
    int64_t width = f->config.text.hidden_size;
    int64_t vocab = f->config.text.vocab_size;
    int32_t num_tokens = b->batch.num_tokens;
    int32_t rows[FIXTURE_MAX_TOKENS];
    float *golden = fixture_golden(f, "logits", &count);
    float *found = calloc((size_t)count, sizeof *found);
    const judo_device *device = fixture_device();
    judo_tensor hidden = fixture_tensor(device, JUDO_BF16, num_tokens, width);
    judo_tensor logits = fixture_tensor(device, JUDO_F32, num_tokens, vocab);
    judo_params *params = judo_local_params_base(l->params);
    int unit = judo_model_head_unit(l->model);
    judo_unit_view view = {.layout = judo_model_layout(l->model), .unit = unit};
    for (int32_t i = 0; i < num_tokens; i++) {
        rows[i] = i;
    }
    assert_ok(judo_model_prefill(l->model, params, &b->batch, NULL, rows, num_tokens, &hidden));
    assert_ok(params->ops->acquire(params, unit, -1, &view.weights));
    judo_tensor head = judo_model_head_matrix(l->model, &view);
    assert_ok(device->ops->linear_forward(&logits, &hidden, &head, NULL));
    fixture_fetch(device, found, logits.data, count * (int64_t)sizeof *found);
    double distance = relative_error(found, golden, count);
    free(golden);
    fixture_release(device, &hidden);
    fixture_release(device, &logits);
    free(found);
    return distance;
}

static double gradient_distance(const fixture *f, const loaded *l)
{
    const judo_param_layout *layout = judo_model_layout(l->model);
    double difference = 0.0;
    double size = 0.0;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            char name[JUDO_NAME_BYTES + 8];
            int64_t count;
            (void)snprintf(name, sizeof name, "grad.%s", layout->params[p].name);
            float *golden = fixture_golden(f, name, &count);
            const float *found = fixture_gradient(l, u) + layout->params[p].offset;
            for (int64_t i = 0; i < count; i++) {
                difference += pow((double)found[i] - (double)golden[i], 2.0);
                size += pow((double)golden[i], 2.0);
            }
            free(golden);
        }
    }
    return sqrt(difference / size);
}

static void read_theirs(const fixture *f, const char *attention, float *out)
{
    char path[320];
    judo_safetensors *file = NULL;
    (void)snprintf(path, sizeof path, "%s/bf16.safetensors", f->directory);
    assert_ok(judo_safetensors_open(path, &file));
    const judo_safetensors_entry *entry = judo_safetensors_find(file, attention);
    assert_non_null(entry);
    assert_ok(judo_safetensors_read(file, entry, 0, NUM_QUANTITIES, out));
    judo_safetensors_close(&file);
}

static void measure(const char *name, double ours[NUM_QUANTITIES], float eager[NUM_QUANTITIES],
                    float sdpa[NUM_QUANTITIES])
{
    fixture f;
    fixture_open(&f, name);
    judo_model_options options = bf16_options(JUDO_RECOMPUTE_UNIT);
    loaded l = fixture_load(&f, &options);
    built_batch b = batch_pack(&f.config, &f.sequence, 1);
    ours[LOGITS] = logits_distance(&f, &l, &b);
    run_backward(&l, &b);
    ours[GRADIENT] = gradient_distance(&f, &l);
    read_theirs(&f, "eager", eager);
    read_theirs(&f, "sdpa", sdpa);
    print_message("  %s: logits %.4f, transformers %.4f and %.4f; gradient %.4f, "
                  "transformers %.4f and %.4f\n",
                  name, ours[LOGITS], (double)eager[LOGITS], (double)sdpa[LOGITS],
                  ours[GRADIENT], (double)eager[GRADIENT], (double)sdpa[GRADIENT]);
    batch_free(&b);
    fixture_unload(&l);
    fixture_close(&f);
}

/* One case's distance is partly luck: the mean ratio counts, and no case may be far off. */
static void test_bf16__is_no_farther_from_fp32_than_transformers(void **state)
{
    (void)state;
    double logarithms[NUM_QUANTITIES][2] = {{0}};
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        double ours[NUM_QUANTITIES];
        float eager[NUM_QUANTITIES];
        float sdpa[NUM_QUANTITIES];
        measure(fixture_names[c], ours, eager, sdpa);
        for (int q = 0; q < NUM_QUANTITIES; q++) {
            assert_true(ours[q] <= 1.5 * (double)eager[q] && ours[q] <= 1.5 * (double)sdpa[q]);
            logarithms[q][0] += log(ours[q] / (double)eager[q]);
            logarithms[q][1] += log(ours[q] / (double)sdpa[q]);
        }
    }
    for (int q = 0; q < NUM_QUANTITIES; q++) {
        assert_true(logarithms[q][0] <= 0.0 && logarithms[q][1] <= 0.0);
    }
}

static void test_recomputed_activations__give_the_same_bits(void **state)
{
    (void)state;
    for (int c = 0; c < FIXTURE_COUNT; c++) {
        fixture f;
        fixture_open(&f, fixture_names[c]);
        judo_model_options keep = bf16_options(JUDO_RECOMPUTE_NOTHING);
        judo_model_options recompute = bf16_options(JUDO_RECOMPUTE_UNIT);
        loaded a = fixture_load(&f, &keep);
        loaded b = fixture_load(&f, &recompute);
        built_batch batch = batch_pack(&f.config, &f.sequence, 1);
        run_backward(&a, &batch);
        run_backward(&b, &batch);
        const judo_param_layout *layout = judo_model_layout(a.model);
        for (int u = 0; u < layout->num_units; u++) {
            assert_memory_equal(fixture_gradient(&a, u), fixture_gradient(&b, u),
                                (size_t)layout->units[u].count * sizeof(float));
        }
        batch_free(&batch);
        fixture_unload(&a);
        fixture_unload(&b);
        fixture_close(&f);
    }
}

static void test_bf16__needs_little_more_than_half_the_activations(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "untied");
    for (int i = JUDO_RECOMPUTE_NOTHING; i <= JUDO_RECOMPUTE_UNIT; i++) {
        int64_t single = 0;
        int64_t half = 0;
        judo_model_options options = fixture_options((judo_recompute)i);
        assert_ok(judo_model_plan(&f.config, fixture_device(), &options, &single));
        options = bf16_options((judo_recompute)i);
        assert_ok(judo_model_plan(&f.config, fixture_device(), &options, &half));
        assert_true(half < single && 2 * half > single);
        loaded l = fixture_load(&f, &options);
        assert_int_equal(judo_model_activation_bytes(l.model), half);
        fixture_unload(&l);
    }
    fixture_close(&f);
}

static void test_weights_of_another_dtype__are_refused(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "text");
    judo_model_options options = bf16_options(JUDO_RECOMPUTE_UNIT);
    judo_model_options other = fixture_options(JUDO_RECOMPUTE_UNIT);
    loaded half = fixture_load(&f, &options);
    loaded single = fixture_load(&f, &other);
    built_batch b = batch_pack(&f.config, &f.sequence, 1);
    judo_token_loss loss = {.kind = JUDO_LOSS_NONE, .scale = 1.0, .temperature = 1.0f};
    assert_int_equal(judo_model_run(half.model, judo_local_params_base(single.params), &b.batch,
                                    &loss, false, NULL),
                     JUDO_ERROR_MISMATCH);
    assert_non_null(strstr(judo_error_message(), "weights are F32"));
    batch_free(&b);
    fixture_unload(&half);
    fixture_unload(&single);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16__is_no_farther_from_fp32_than_transformers),
        cmocka_unit_test(test_recomputed_activations__give_the_same_bits),
        cmocka_unit_test(test_bf16__needs_little_more_than_half_the_activations),
        cmocka_unit_test(test_weights_of_another_dtype__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
