/* tests/models/fixture.c: reading golden cases. */
#include "tests/models/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint_directory.h"

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

void fixture_open(fixture *f, const char *name)
{
    char path[320];
    int32_t grids[3 * FIXTURE_MAX_IMAGES];
    int64_t count;
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
    f->patches = fixture_golden(f, "patches", &count);
    f->sequence = (sequence){.tokens = f->tokens,
                             .targets = f->targets,
                             .num_tokens = num_tokens,
                             .grids = f->grids,
                             .starts = f->starts,
                             .num_images = num_images,
                             .patches = f->patches};
}

void fixture_close(fixture *f)
{
    judo_safetensors_close(&f->golden);
    free(f->patches);
}

judo_model_options fixture_options(bool checkpoint)
{
    return (judo_model_options){.checkpoint_activations = checkpoint,
                                .head_chunk_rows = 3,
                                .dtype = JUDO_F32,
                                .max_tokens = 600,
                                .max_patches = 600};
}

loaded fixture_load(const fixture *f, const judo_model_options *options)
{
    loaded l = {0};
    judo_weight_source source;
    judo_ops_cpu_set_threads(1); /* small rows: more threads only wait for each other */
    assert_ok(judo_model_create(&f->config, judo_device_cpu(), options, &l.model));
    assert_ok(judo_local_params_create(judo_model_layout(l.model), judo_device_cpu(),
                                       options->dtype, true, &l.params));
    assert_ok(judo_model_source_open(f->directory, judo_model_layout(l.model), &source));
    assert_ok(judo_local_params_load(l.params, &source));
    judo_model_source_close(&source);
    return l;
}

void fixture_unload(loaded *l)
{
    judo_local_params_destroy(&l->params);
    judo_model_destroy(&l->model);
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
