/* data/mrope_positions.c: multimodal rotary positions for text and stills. */
#include "data/mrope_positions.h"

typedef struct axes {
    int32_t *t, *h, *w;
} axes;

static int32_t place_text(axes to, int32_t begin, int32_t end, int32_t position)
{
    for (int32_t i = begin; i < end; i++, position++) {
        to.t[i] = to.h[i] = to.w[i] = position;
    }
    return position;
}

static int32_t place_image(axes to, const judo_mrope_image *image, int32_t position)
{
    for (int32_t i = 0; i < image->rows * image->columns; i++) {
        to.t[image->start + i] = position;
        to.h[image->start + i] = position + i / image->columns;
        to.w[image->start + i] = position + i % image->columns;
    }
    return position + (image->rows > image->columns ? image->rows : image->columns);
}

judo_status judo_mrope_positions(int32_t num_tokens, const judo_mrope_image *images,
                                 int32_t num_images, int32_t first, int32_t *t, int32_t *h,
                                 int32_t *w, int32_t *next)
{
    axes to = {t, h, w};
    int32_t done = 0;
    int32_t position = first;
    for (int32_t i = 0; i < num_images; i++) {
        const judo_mrope_image *image = &images[i];
        int64_t tokens = (int64_t)image->rows * image->columns;
        if (image->rows < 1 || image->columns < 1 || image->start < done ||
            image->start + tokens > num_tokens) {
            return JUDO_FAIL(JUDO_ERROR_ARGUMENT,
                             "image %d of %d x %d tokens at token %d does not fit behind token "
                             "%d of %d",
                             i, image->rows, image->columns, image->start, done, num_tokens);
        }
        position = place_text(to, done, image->start, position);
        position = place_image(to, image, position);
        done = image->start + (int32_t)tokens;
    }
    *next = place_text(to, done, num_tokens, position);
    return JUDO_OK;
}
