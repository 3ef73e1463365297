/* data/dataset_write.h: building a dataset file. Pictures are resized by the processor on the
 * way in; the file appears at its path only when committed. */
#ifndef JUDO_DATA_DATASET_WRITE_H
#define JUDO_DATA_DATASET_WRITE_H

#include "data/dataset.h"
#include "data/image_processor.h"

typedef struct judo_dataset_writer judo_dataset_writer;

/* `made_by` says how the dataset was made (free text, stored). The processor is borrowed until
 * the writer is gone. Pixels are spooled beside `path`, so the disk needs room for twice their
 * size while writing. */
judo_status judo_dataset_writer_create(const char *path, const judo_image_processor *processor,
                                       const char *made_by,
                                       judo_dataset_writer **out) JUDO_MUST_CHECK;

/* The image stored under `source`, or -1. */
int64_t judo_dataset_writer_find_image(const judo_dataset_writer *writer, const char *source);
/* Resizes and stores an RGB picture under a name that is new to the file. */
judo_status judo_dataset_writer_add_image(judo_dataset_writer *writer, const judo_image *image,
                                          const char *source, int64_t *index) JUDO_MUST_CHECK;
/* Stores the mask of an image (grey, any pixel not 0 is marked), resized to the image's size. A
 * second mask for the same image changes nothing. JUDO_ERROR_MISMATCH if the mask has not the
 * original picture's aspect. */
judo_status judo_dataset_writer_add_mask(judo_dataset_writer *writer, int64_t image,
                                         const judo_image *mask) JUDO_MUST_CHECK;

/* Copies a sample (its `index` is ignored); NULL texts count as "". Images must exist, letters
 * be distinct capitals, and the answer, if any, one of them. */
judo_status judo_dataset_writer_add_sample(judo_dataset_writer *writer,
                                           const judo_sample *sample) JUDO_MUST_CHECK;

int64_t judo_dataset_writer_num_samples(const judo_dataset_writer *writer);
int64_t judo_dataset_writer_num_images(const judo_dataset_writer *writer);
int64_t judo_dataset_writer_pixel_bytes(const judo_dataset_writer *writer);

/* Writes the file and frees the writer, also on failure. */
judo_status judo_dataset_writer_commit(judo_dataset_writer **writer) JUDO_MUST_CHECK;
/* Frees the writer and leaves no file. Accepts NULL inside. */
void judo_dataset_writer_discard(judo_dataset_writer **writer);

#endif
