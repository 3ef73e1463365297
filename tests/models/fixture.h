/* tests/models/fixture.h: a golden case: a small model directory with inputs and results that
 * transformers gave for it (tests/golden/make/qwen25vl.py). */
#ifndef JUDO_TESTS_MODELS_FIXTURE_H
#define JUDO_TESTS_MODELS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/qwen25vl.h"
#include "runtime/device.h"
#include "runtime/safetensors.h"
#include "tests/models/batch_builder.h"

enum { FIXTURE_MAX_IMAGES = 4, FIXTURE_MAX_TOKENS = 128 };

typedef struct fixture {
    char directory[256];
    judo_qwen_config config;
    judo_safetensors *golden;
    sequence sequence; /* the case's input */
    int32_t tokens[FIXTURE_MAX_TOKENS], targets[FIXTURE_MAX_TOKENS];
    judo_image_grid grids[FIXTURE_MAX_IMAGES];
    int32_t starts[FIXTURE_MAX_IMAGES];
    uint8_t *pixels;
} fixture;

extern const char *const fixture_names[];

enum { FIXTURE_COUNT = 4 };

/* Succeeds or prints the error and fails the test. Tests on several ranks have their own. */
#ifndef assert_ok
#define assert_ok(expression)                                                                  \
    do {                                                                                       \
        if ((expression) != JUDO_OK) {                                                         \
            fail_msg("%s: %s", #expression, judo_error_message());                             \
        }                                                                                      \
    } while (0)
#endif

void fixture_open(fixture *f, const char *name);
void fixture_close(fixture *f);
/* Reads a golden tensor whole; its element count goes to `count`. free() it. NULL if absent. */
float *fixture_golden(const fixture *f, const char *name, int64_t *count);

/* Where the tests compute: what JUDO_TEST_DEVICE says (cpu, cuda), the CPU without it. A module
 * that JUDO_DEVICE_MODULE names takes the place of CUDA. */
const judo_device *fixture_device(void);

/* A model with its weights loaded. */
typedef struct loaded {
    judo_model *model;
    judo_local_params *params;
    float **weights, **gradients; /* [units]: what was asked for on the host */
} loaded;

judo_model_options fixture_options(judo_recompute recompute);
loaded fixture_load(const fixture *f, const judo_model_options *options);
loaded fixture_load_on(const fixture *f, const judo_model_options *options,
                       const judo_device *device);
/* The same with other weights. */
loaded fixture_fill(const judo_qwen_config *config, const judo_model_options *options,
                    const judo_weight_source *source, const judo_device *device);
void fixture_unload(loaded *l);

/* A unit's fp32 weights or gradient as they are now, on the host; the model's. */
const float *fixture_weights(const loaded *l, int unit);
const float *fixture_gradient(const loaded *l, int unit);
void fixture_set_weights(loaded *l, int unit, const float *weights);

/* A tensor of the device; to be given back with fixture_release. */
judo_tensor fixture_tensor(const judo_device *device, judo_dtype dtype, int64_t rows,
                           int64_t columns);
void fixture_release(const judo_device *device, judo_tensor *tensor);
/* Its elements (or any run of the device's memory) on the host, once all that was queued is
 * done. */
void fixture_fetch(const judo_device *device, void *to, const void *from, int64_t bytes);

/* |a - b| / |b| in L2; |a| where b is zero. */
double relative_error(const float *a, const float *b, int64_t count);

#endif
