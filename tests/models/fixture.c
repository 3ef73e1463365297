/* tests/models/fixture.c: reading golden cases. */
#include "tests/models/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint_directory.h"
#include "runtime/device_choice.h"

const char *const fixture_names[] = {"untied", "tied", "grouped", "text"};

float *fixture_golden(const fixture *f, const char *name, int64_t *count)
{
    const judo_safetensors_entry *entry = judo_safetensors_find(f->golden, name);
    *count = 0;
    if (!entry) {
        return NULL;
    }
    assert_ok(judo_dims_count(entry->dims, entry->num_dims, count));
    float *values = malloc((size_t)*count * sizeof *values);
    assert_non_null(values);
    assert_ok(judo_safetensors_read(f->golden, entry, 0, *count, values));
    return values;
}

static int read_integers(const fixture *f, const char *name, int32_t *out, int most)
{
    int64_t count;
    float *values = fixture_golden(f, name, &count);
    assert_true(count <= most);
    for (int i = 0; i < (int)count; i++) {
        out[i] = (int32_t)values[i];
    }
    free(values);
    return (int)count;
}

static void read_pixels(fixture *f)
{
    int64_t count;
    float *values = fixture_golden(f, "pixels", &count);
    f->pixels = malloc((size_t)count + 1);
    assert_non_null(f->pixels);
    for (int64_t i = 0; i < count; i++) {
        f->pixels[i] = (uint8_t)values[i];
    }
    free(values);
}

void fixture_open(fixture *f, const char *name)
{
    char path[320];
    int32_t grids[3 * FIXTURE_MAX_IMAGES];
    memset(f, 0, sizeof *f);
    (void)snprintf(f->directory, sizeof f->directory, "tests/golden/qwen25vl/%s", name);
    (void)snprintf(path, sizeof path, "%s/golden.safetensors", f->directory);
    assert_ok(judo_qwen_config_load(f->directory, &f->config));
    assert_ok(judo_safetensors_open(path, &f->golden));
    int num_tokens = read_integers(f, "tokens", f->tokens, FIXTURE_MAX_TOKENS);
    (void)read_integers(f, "targets", f->targets, FIXTURE_MAX_TOKENS);
    int num_images = read_integers(f, "starts", f->starts, FIXTURE_MAX_IMAGES);
    (void)read_integers(f, "grids", grids, 3 * FIXTURE_MAX_IMAGES);
    for (int i = 0; i < num_images; i++) {
        f->grids[i] =
            (judo_image_grid){.t = grids[3 * i], .h = grids[3 * i + 1], .w = grids[3 * i + 2]};
    }
    read_pixels(f);
    f->sequence = (sequence){.tokens = f->tokens,
                             .targets = f->targets,
                             .num_tokens = num_tokens,
                             .grids = f->grids,
                             .starts = f->starts,
                             .num_images = num_images,
                             .pixels = f->pixels};
}

void fixture_close(fixture *f)
{
    judo_safetensors_close(&f->golden);
    free(f->pixels);
}

judo_model_options fixture_options(judo_recompute recompute)
{
    return (judo_model_options){.recompute = recompute,
                                .head_chunk_rows = 3,
                                .dtype = JUDO_F32,
                                .max_tokens = 600,
                                .max_patches = 600};
}

const judo_device *fixture_device(void)
{
    static const judo_device *device;
    const char *name = getenv("JUDO_TEST_DEVICE");
    if (!device) {
        assert_ok(judo_device_choose_named(name ? name : "cpu", "JUDO_TEST_DEVICE", &device));
    }
    return device;
}

static loaded create(const judo_qwen_config *config, const judo_model_options *options,
                     const judo_device *device)
{
    loaded l = {0};
    judo_ops_cpu_set_threads(1); /* small rows: more threads only wait for each other */
    assert_ok(judo_model_create(config, device, options, &l.model));
    const judo_param_layout *layout = judo_model_layout(l.model);
    assert_ok(judo_local_params_create(layout, device, options->dtype, true, &l.params));
    l.weights = calloc((size_t)layout->num_units, sizeof *l.weights);
    l.gradients = calloc((size_t)layout->num_units, sizeof *l.gradients);
    assert_true(l.weights && l.gradients);
    return l;
}

loaded fixture_fill(const judo_qwen_config *config, const judo_model_options *options,
                    const judo_weight_source *source, const judo_device *device)
{
    loaded l = create(config, options, device);
    assert_ok(judo_local_params_load(l.params, source));
    return l;
}

loaded fixture_load_on(const fixture *f, const judo_model_options *options,
                       const judo_device *device)
{
    judo_weight_source source;
    loaded l = create(&f->config, options, device);
    assert_ok(judo_model_source_open(f->directory, judo_model_layout(l.model), &source));
    assert_ok(judo_local_params_load(l.params, &source));
    judo_model_source_close(&source);
    return l;
}

loaded fixture_load(const fixture *f, const judo_model_options *options)
{
    return fixture_load_on(f, options, fixture_device());
}

void fixture_unload(loaded *l)
{
    for (int u = 0; u < judo_model_layout(l->model)->num_units; u++) {
        free(l->weights[u]);
        free(l->gradients[u]);
    }
    free(l->weights);
    free(l->gradients);
    judo_local_params_destroy(&l->params);
    judo_model_destroy(&l->model);
}

void fixture_fetch(const judo_device *device, void *to, const void *from, int64_t bytes)
{
    assert_ok(device->copy(to, from, bytes, NULL));
    assert_ok(device->stream_finish(NULL));
}

static const float *fetch_unit(const loaded *l, int unit, const float *from, float **copy)
{
    int64_t count = judo_model_layout(l->model)->units[unit].count;
    assert_non_null(from);
    if (!*copy) {
        *copy = malloc((size_t)count * sizeof **copy + 1);
        assert_non_null(*copy);
    }
    fixture_fetch(judo_model_device(l->model), *copy, from, count * (int64_t)sizeof **copy);
    return *copy;
}

const float *fixture_weights(const loaded *l, int unit)
{
    return fetch_unit(l, unit, judo_local_params_weights(l->params, unit), &l->weights[unit]);
}

const float *fixture_gradient(const loaded *l, int unit)
{
    return fetch_unit(l, unit, judo_local_params_gradient(l->params, unit),
                      &l->gradients[unit]);
}

void fixture_set_weights(loaded *l, int unit, const float *weights)
{
    int64_t count = judo_model_layout(l->model)->units[unit].count;
    fixture_fetch(judo_model_device(l->model), judo_local_params_weights(l->params, unit),
                  weights, count * (int64_t)sizeof *weights);
}

judo_tensor fixture_tensor(const judo_device *device, judo_dtype dtype, int64_t rows,
                           int64_t columns)
{
    judo_tensor t = judo_tensor_2d(NULL, dtype, rows, columns);
    assert_ok(device->allocate(&t.data, judo_tensor_count(&t) * judo_dtype_bytes(dtype)));
    return t;
}

void fixture_release(const judo_device *device, judo_tensor *tensor)
{
    device->release(tensor->data);
    tensor->data = NULL;
}

double relative_error(const float *a, const float *b, int64_t count)
{
    double difference = 0.0;
    double size = 0.0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference) / (size > 0.0 ? sqrt(size) : 1.0);
}
