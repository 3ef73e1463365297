/* tests/models/test_parity.c: logits, loss and gradients against transformers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/mrope_positions.h"
#include "tests/models/fixture.h"

static void check_positions(const fixture *f, const built_batch *b)
{
    int64_t count;
    float *positions = fixture_golden(f, "positions", &count);
    assert_int_equal(count, 3 * b->batch.num_tokens);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(b->positions[i], (int32_t)positions[i]);
    }
    free(positions);
    float *delta = fixture_golden(f, "delta", &count);
    int32_t ours = 0;
    int32_t unused[3][FIXTURE_MAX_TOKENS];
    const sequence *s = &f->sequence;
    judo_mrope_image places[8];
    int32_t merge = (int32_t)f->config.vision.spatial_merge_size;
    for (int i = 0; i < s->num_images; i++) {
        places[i] =
            (judo_mrope_image){s->starts[i], s->grids[i].h / merge, s->grids[i].w / merge};
    }
    assert_ok(judo_mrope_positions(s->num_tokens, places, s->num_images, 0, unused[0],
                                   unused[1], unused[2], &ours));
    ours -= s->num_tokens;
    assert_int_equal(ours, (int32_t)delta[0]);
    free(delta);
}

/* Largest difference of logits, from the hidden states of all rows. */
static double logit_error(const fixture *f, loaded *l, const built_batch *b)
{
    int64_t count;
    int64_t width = f->config.text.hidden_size;
    int32_t rows[FIXTURE_MAX_TOKENS];
    float *golden = fixture_golden(f, "logits", &count);
    float *memory = calloc((size_t)(b->batch.num_tokens * width), sizeof *memory);
    judo_tensor hidden = fixture_tensor(fixture_device(), JUDO_F32, b->batch.num_tokens, width);
    for (int32_t i = 0; i < b->batch.num_tokens; i++) {
        rows[i] = i;
    }
    assert_ok(judo_model_prefill(l->model, judo_local_params_base(l->params), &b->batch, NULL,
                                 rows, b->batch.num_tokens, &hidden));
    fixture_fetch(fixture_device(), memory, hidden.data,
                  judo_tensor_count(&hidden) * (int64_t)sizeof *memory);
    fixture_release(fixture_device(), &hidden);
    int unit = judo_model_head_unit(l->model);
    const judo_param_layout *layout = judo_model_layout(l->model);
    judo_unit_view view = {.layout = layout,
                           .unit = unit,
                           .weights =
                               judo_tensor_1d((void *)(uintptr_t)fixture_weights(l, unit),
                                              JUDO_F32, layout->units[unit].count)};
    const float *head = judo_model_head_matrix(l->model, &view).data;
    double worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const float *x = memory + i / f->config.text.vocab_size * width;
        const float *w = head + i % f->config.text.vocab_size * width;
        double logit = 0.0;
        for (int64_t j = 0; j < width; j++) {
            logit += (double)x[j] * w[j];
        }
        worst = fmax(worst, fabs(logit - golden[i]));
    }
    free(golden);
    free(memory);
    return worst;
}

static void check_gradients(const fixture *f, const loaded *l)
{
    const judo_param_layout *layout = judo_model_layout(l->model);
    double worst = 0.0;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        for (int p = unit->first_param; p < unit->first_param + unit->num_params; p++) {
            char name[JUDO_NAME_BYTES + 8];
            int64_t count;
            (void)snprintf(name, sizeof name, "grad.%s", layout->params[p].name);
            float *golden = fixture_golden(f, name, &count);
            assert_int_equal(count, layout->params[p].count);
            double error = relative_error(fixture_gradient(l, u) + layout->params[p].offset,
                                          golden, count);
            if (error > 1e-4) {
                print_message("%s: relative error %.3g\n", name, error);
            }
            worst = fmax(worst, error);
            free(golden);
        }
    }
    print_message("  gradients: worst relative error %.3g\n", worst);
    assert_true(worst <= 1e-4);
}

static void check_case(const char *name, judo_recompute recompute)
{
    fixture f;
    int64_t count;
    fixture_open(&f, name);
    judo_model_options options = fixture_options(recompute);
    loaded l = fixture_load(&f, &options);
    built_batch b = batch_pack(&f.config, &f.sequence, 1);
    check_positions(&f, &b);
    double logits = logit_error(&f, &l, &b);
    print_message("%s: logits differ by %.3g at most\n", name, logits);
    assert_true(logits <= 2e-4);
    judo_token_loss loss = {
        .kind = JUDO_LOSS_NLL, .scale = 1.0 / b.batch.num_targets, .temperature = 1.0f};
    judo_token_result result = {0};
    assert_ok(judo_model_run(l.model, judo_local_params_base(l.params), &b.batch, &loss, true,
                             &result));
    float *golden = fixture_golden(&f, "loss", &count);
    assert_true(fabs(result.loss - golden[0]) <= 1e-5);
    free(golden);
    check_gradients(&f, &l);
    batch_free(&b);
    fixture_unload(&l);
    fixture_close(&f);
}

static void test_model__matches_transformers_when_everything_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < FIXTURE_COUNT; i++) {
        check_case(fixture_names[i], JUDO_RECOMPUTE_NOTHING);
    }
}

static void test_model__matches_transformers_when_blocks_are_recomputed(void **state)
{
    (void)state;
    for (int i = 0; i < FIXTURE_COUNT; i++) {
        check_case(fixture_names[i], JUDO_RECOMPUTE_SELECTIVE);
        check_case(fixture_names[i], JUDO_RECOMPUTE_UNIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__matches_transformers_when_everything_is_kept),
        cmocka_unit_test(test_model__matches_transformers_when_blocks_are_recomputed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
