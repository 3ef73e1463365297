/* tests/parity/filter/resize.c: a picture file scaled by one filter. */
#include "data/resize.h"
#include "tests/parity/filter/filters.h"

static judo_status answer_request(void *context, const judo_json *request, const char *source,
                                  judo_json_writer *answer)
{
    (void)context;
    const char *from, *to;
    int64_t width, height, channels, filter;
    judo_image image = {0};
    judo_image resized = {0};
    JUDO_TRY(judo_json_get_string(request, "image", source, &from));
    JUDO_TRY(judo_json_get_string(request, "output", source, &to));
    JUDO_TRY(judo_json_get_int(request, "width", source, &width));
    JUDO_TRY(judo_json_get_int(request, "height", source, &height));
    JUDO_TRY(judo_json_get_int(request, "channels", source, &channels));
    JUDO_TRY(judo_json_get_int(request, "filter", source, &filter));
    JUDO_TRY(judo_image_read(from, (int32_t)channels, &image));
    judo_status status = judo_image_resize(&image, (int32_t)width, (int32_t)height,
                                           (judo_resize_filter)filter, &resized);
    if (status == JUDO_OK) {
        status = judo_image_write_png(to, &resized);
    }
    judo_image_free(&image);
    judo_image_free(&resized);
    JUDO_TRY(status);
    judo_json_begin_object(answer, NULL);
    judo_json_put_string(answer, "output", to);
    judo_json_end_object(answer);
    return JUDO_OK;
}

static judo_status run(int argc, char **argv)
{
    return judo_parity_run(argc, argv, answer_request);
}

const judo_tool judo_parity_resize = {
    .name = "resize",
    .summary = "a picture file scaled by one filter",
    .help =
        "judo_parity resize: scales pictures\n\n"
        "  {\"image\": FILE, \"output\": PNG, \"width\": W, \"height\": H, \"channels\": 1|3,\n"
        "   \"filter\": 0 nearest|1 bicubic|2 lanczos}  ->  {\"output\": PNG}\n",
    .run = run,
};
