/* data/image_processor_load.c: preprocessor_config.json. */
#include "data/image_processor.h"

#include <math.h>
#include <stdbool.h>

#include "runtime/json.h"

/* Keys that, if present, must have the one value that judo's procedure has. */
static judo_status check_procedure(const judo_json *root, const char *path)
{
    static const char *const switches[] = {"do_resize", "do_rescale", "do_normalize",
                                           "do_convert_rgb"};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        bool on = true;
        JUDO_TRY(judo_json_get_bool_or(root, switches[i], path, true, &on));
        if (!on) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "%s: %s is false; judo only has true",
                             path, switches[i]);
        }
    }
    int64_t filter = 3;
    double scale = 1.0 / 255.0;
    JUDO_TRY(judo_json_get_int_or(root, "resample", path, 3, &filter));
    JUDO_TRY(judo_json_get_double_or(root, "rescale_factor", path, scale, &scale));
    if (filter != 3 || fabs(scale - 1.0 / 255.0) > 1e-9) {
        return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED,
                         "%s: resample %lld, rescale_factor %g; judo only has 3 (bicubic) and "
                         "1/255",
                         path, (long long)filter, scale);
    }
    return JUDO_OK;
}

static judo_status read_triple(const judo_json *root, const char *key, const char *path,
                               double out[3])
{
    const judo_json *list = judo_json_get(root, key);
    if (judo_json_is_null(list)) {
        return JUDO_OK;
    }
    if (!judo_json_is_array(list) || judo_json_size(list) != 3) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: %s must be a list of three numbers", path,
                         key);
    }
    const judo_json *item = judo_json_first(list);
    for (int c = 0; c < 3; c++) {
        JUDO_TRY(judo_json_as_double(item, path, &out[c]));
        item = judo_json_next(item);
    }
    return JUDO_OK;
}

static judo_status read_small(const judo_json *root, const char *key, const char *path,
                              int32_t *value)
{
    int64_t wide = *value;
    JUDO_TRY(judo_json_get_int_or(root, key, path, *value, &wide));
    if (wide < 1 || wide > 1024) {
        return JUDO_FAIL(JUDO_ERROR_CONFIG, "%s: %s is %lld, outside 1..1024", path, key,
                         (long long)wide);
    }
    *value = (int32_t)wide;
    return JUDO_OK;
}

static judo_status read_settings(const judo_json *root, const char *path,
                                 judo_image_processor *p)
{
    if (!judo_json_is_object(root)) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: must be a JSON object", path);
    }
    JUDO_TRY(check_procedure(root, path));
    JUDO_TRY(read_small(root, "patch_size", path, &p->patch_size));
    JUDO_TRY(read_small(root, "temporal_patch_size", path, &p->temporal_patch_size));
    JUDO_TRY(read_small(root, "merge_size", path, &p->merge_size));
    const judo_json *size = judo_json_get(root, "size");
    if (judo_json_is_object(size)) {
        JUDO_TRY(judo_json_get_int_or(size, "min_pixels", path, p->min_pixels, &p->min_pixels));
        JUDO_TRY(judo_json_get_int_or(size, "max_pixels", path, p->max_pixels, &p->max_pixels));
        JUDO_TRY(
            judo_json_get_int_or(size, "shortest_edge", path, p->min_pixels, &p->min_pixels));
        JUDO_TRY(
            judo_json_get_int_or(size, "longest_edge", path, p->max_pixels, &p->max_pixels));
    }
    JUDO_TRY(judo_json_get_int_or(root, "min_pixels", path, p->min_pixels, &p->min_pixels));
    JUDO_TRY(judo_json_get_int_or(root, "max_pixels", path, p->max_pixels, &p->max_pixels));
    JUDO_TRY(read_triple(root, "image_mean", path, p->image_mean));
    return read_triple(root, "image_std", path, p->image_std);
}

judo_status judo_image_processor_load(const char *path, int32_t square,
                                      judo_image_processor *out)
{
    judo_json *root = NULL;
    JUDO_TRY(judo_json_load(path, &root));
    judo_image_processor processor;
    judo_image_processor_defaults(&processor);
    processor.square = square;
    judo_status status = read_settings(root, path, &processor);
    judo_json_free(&root);
    JUDO_TRY(status);
    JUDO_TRY(judo_image_processor_prepare(&processor));
    *out = processor;
    return JUDO_OK;
}
