/* tests/models/test_layout.c: units, tensors and parameters of the published models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "models/layout.h"
#include "models/qwen25vl.h"

/* The published configurations. */
static judo_qwen_config published(bool large)
{
    judo_qwen_config c = {
        .text = {.vocab_size = large ? 152064 : 151936,
                 .hidden_size = large ? 3584 : 2048,
                 .intermediate_size = large ? 18944 : 11008,
                 .num_layers = large ? 28 : 36,
                 .num_heads = large ? 28 : 16,
                 .num_kv_heads = large ? 4 : 2,
                 .head_dim = 128,
                 .max_position_embeddings = 128000,
                 .rms_norm_eps = 1e-6,
                 .rope_theta = 1e6,
                 .mrope_section = {16, 24, 24},
                 .tie_word_embeddings = !large},
        .vision = {.depth = 32,
                   .hidden_size = 1280,
                   .intermediate_size = 3420,
                   .num_heads = 16,
                   .head_dim = 80,
                   .in_channels = 3,
                   .patch_size = 14,
                   .temporal_patch_size = 2,
                   .spatial_merge_size = 2,
                   .window_size = 112,
                   .out_hidden_size = large ? 3584 : 2048,
                   .rms_norm_eps = 1e-6,
                   .rope_theta = 1e4},
        .image_token_id = 151655,
    };
    for (int i = 7; i < 32; i += 8) {
        c.vision.full_attention[i] = true;
    }
    return c;
}

static void check(bool large, int tensors, int64_t parameters)
{
    judo_qwen_config c = published(large);
    judo_param_layout *layout = NULL;
    int64_t total = 0;
    assert_int_equal(judo_qwen_config_check(&c, "published"), JUDO_OK);
    assert_int_equal(judo_qwen_layout_create(&c, NULL, &layout), JUDO_OK);
    assert_int_equal(layout->num_params, tensors);
    assert_int_equal(layout->num_units, 2 + 32 + 1 + (large ? 28 : 36) + 1);
    int next_param = 0;
    for (int u = 0; u < layout->num_units; u++) {
        const judo_unit *unit = &layout->units[u];
        int64_t offset = 0;
        assert_int_equal(unit->first_param, next_param);
        for (int p = 0; p < unit->num_params; p++) {
            const judo_param *param = &layout->params[next_param++];
            assert_int_equal(param->offset, offset);
            assert_int_equal(param->decay, param->num_dims > 1);
            offset += param->count;
        }
        assert_int_equal(unit->count, offset);
        total += offset;
    }
    assert_int_equal(next_param, layout->num_params);
    assert_true(total == parameters);
    judo_qwen_layout_destroy(&layout);
    assert_null(layout);
}

static void test_layout__has_the_tensors_of_the_3b_model(void **state)
{
    (void)state;
    check(false, 824, INT64_C(3754622976));
}

static void test_layout__has_the_tensors_of_the_7b_model(void **state)
{
    (void)state;
    check(true, 729, INT64_C(8292166656));
}

static void test_layout__names_units_and_freezes_parts(void **state)
{
    (void)state;
    judo_qwen_config c = published(true);
    judo_qwen_units units = judo_qwen_units_of(&c);
    judo_freeze freeze = {.vision_tower = true, .head = true};
    judo_param_layout *layout = NULL;
    assert_int_equal(judo_qwen_layout_create(&c, &freeze, &layout), JUDO_OK);
    assert_string_equal(layout->units[units.embed].name, "embed");
    assert_string_equal(layout->units[units.patch].name, "vision.patch");
    assert_string_equal(layout->units[units.first_vision_block + 31].name, "vision.block.31");
    assert_string_equal(layout->units[units.merger].name, "merger");
    assert_string_equal(layout->units[units.first_decoder + 27].name, "decoder.27");
    assert_string_equal(layout->units[units.head].name, "head");
    for (int u = 0; u < layout->num_units; u++) {
        bool frozen = (u >= units.patch && u < units.merger) || u == units.head;
        assert_int_equal(layout->units[u].frozen, frozen);
        assert_int_equal(layout->params[layout->units[u].first_param].frozen, frozen);
    }
    judo_qwen_layout_destroy(&layout);
}

/* The tensors [first, last] of a unit are these, a part each, and one view with the elements of
 * all of them. */
static void assert_side_by_side(const judo_param_layout *layout, int unit, int first, int last,
                                const char *const *parts)
{
    float *buffer = calloc((size_t)layout->units[unit].count, sizeof *buffer);
    const judo_param *params = &layout->params[layout->units[unit].first_param];
    judo_unit_view view = {.layout = layout, .unit = unit};
    assert_non_null(buffer);
    view.weights = judo_tensor_1d(buffer, JUDO_F32, layout->units[unit].count);
    view.gradient = view.weights;
    judo_tensor rows = judo_unit_weight_rows(&view, first, last);
    judo_tensor gradient = judo_unit_gradient_rows(&view, first, last);
    int64_t elements = 0, height = 0;
    for (int place = first; place <= last; place++) {
        judo_tensor one = judo_unit_weight(&view, place);
        assert_non_null(strstr(params[place].name, parts[place - first]));
        assert_ptr_equal(one.data, (float *)rows.data + elements);
        assert_int_equal(one.num_dims, rows.num_dims);
        assert_true(one.num_dims == 1 || one.dims[1] == rows.dims[1]);
        elements += judo_tensor_count(&one);
        height += one.dims[0];
    }
    assert_int_equal(rows.dims[0], height);
    assert_int_equal(judo_tensor_count(&rows), elements);
    assert_ptr_equal(gradient.data, rows.data);
    assert_int_equal(judo_tensor_count(&gradient), elements);
    view.gradient.data = NULL;
    assert_null(judo_unit_gradient_rows(&view, first, last).data);
    free(buffer);
}

static void test_layout__puts_side_by_side_what_is_multiplied_as_one(void **state)
{
    (void)state;
    static const char *const weights[] = {"q_proj.weight", "k_proj.weight", "v_proj.weight"};
    static const char *const biases[] = {"q_proj.bias", "k_proj.bias", "v_proj.bias"};
    static const char *const inner[] = {"gate_proj.weight", "up_proj.weight"};
    static const char *const inner_biases[] = {"gate_proj.bias", "up_proj.bias"};
    for (int odd = 0; odd < 2; odd++) {
        judo_qwen_config c = published(false);
        if (odd) { /* sizes that no alignment divides */
            c.text.hidden_size = 18;
            c.text.num_heads = 3;
            c.text.num_kv_heads = 1;
            c.text.head_dim = 6;
            c.text.intermediate_size = 31;
            c.vision.intermediate_size = 7;
        }
        judo_qwen_units units = judo_qwen_units_of(&c);
        judo_param_layout *layout = NULL;
        assert_int_equal(judo_qwen_layout_create(&c, NULL, &layout), JUDO_OK);
        int decoder = units.first_decoder + 3, vision = units.first_vision_block + 1;
        assert_side_by_side(layout, decoder, JUDO_DECODER_Q_WEIGHT, JUDO_DECODER_V_WEIGHT,
                            weights);
        assert_side_by_side(layout, decoder, JUDO_DECODER_Q_BIAS, JUDO_DECODER_V_BIAS, biases);
        assert_side_by_side(layout, decoder, JUDO_DECODER_GATE_WEIGHT, JUDO_DECODER_UP_WEIGHT,
                            inner);
        assert_side_by_side(layout, vision, JUDO_VISION_GATE_WEIGHT, JUDO_VISION_UP_WEIGHT,
                            inner);
        assert_side_by_side(layout, vision, JUDO_VISION_GATE_BIAS, JUDO_VISION_UP_BIAS,
                            inner_biases);
        judo_qwen_layout_destroy(&layout);
    }
}

static void test_plan__counts_bytes_without_allocating_and_recomputing_needs_fewer(void **state)
{
    (void)state;
    judo_qwen_config c = published(true);
    judo_model_options options = {
        .recompute = JUDO_RECOMPUTE_UNIT, .max_tokens = 5000, .max_patches = 2592};
    int64_t few = 0;
    int64_t some = 0;
    int64_t many = 0;
    int64_t forward = 0;
    assert_int_equal(judo_model_plan(&c, judo_device_cpu(), &options, &few), JUDO_OK);
    options.recompute = JUDO_RECOMPUTE_SELECTIVE;
    assert_int_equal(judo_model_plan(&c, judo_device_cpu(), &options, &some), JUDO_OK);
    options.recompute = JUDO_RECOMPUTE_NOTHING;
    assert_int_equal(judo_model_plan(&c, judo_device_cpu(), &options, &many), JUDO_OK);
    options.forward_only = true;
    assert_int_equal(judo_model_plan(&c, judo_device_cpu(), &options, &forward), JUDO_OK);
    assert_true(forward < few && few < many / 4 && 3 * few < some && some < 3 * many / 4);
    /* Inputs of 28 blocks alone. */
    assert_true(few > INT64_C(28) * 5000 * 3584 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout__has_the_tensors_of_the_3b_model),
        cmocka_unit_test(test_layout__has_the_tensors_of_the_7b_model),
        cmocka_unit_test(test_layout__names_units_and_freezes_parts),
        cmocka_unit_test(test_layout__puts_side_by_side_what_is_multiplied_as_one),
        cmocka_unit_test(
            test_plan__counts_bytes_without_allocating_and_recomputing_needs_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
