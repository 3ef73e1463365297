/* models/checkpoint_directory.h: a model as a Hugging Face directory, read strictly and written
 * in the hub layout by all ranks at once. */
#ifndef JUDO_MODELS_CHECKPOINT_DIRECTORY_H
#define JUDO_MODELS_CHECKPOINT_DIRECTORY_H

#include <stdint.h>

#include "runtime/params.h"

/* Opens model.safetensors, or the shards that model.safetensors.index.json lists, of
 * `directory`. Every parameter of `layout` must be there once with its shape and nothing else:
 * JUDO_ERROR_MISMATCH lists what is missing, unexpected or of another shape. Hub names and the
 * library's in-memory names are read. `layout` is borrowed while the source is open. Not
 * collective. */
judo_status judo_model_source_open(const char *directory, const judo_param_layout *layout,
                                   judo_weight_source *out) JUDO_MUST_CHECK;
void judo_model_source_close(judo_weight_source *source);

/* Writing. Every rank creates the same writer; one begins (makes the folder and the files);
 * then each writes any ranges and syncs; then one ends (writes the index). The caller puts
 * barriers between these three phases. */
typedef struct judo_model_writer judo_model_writer;

/* Plans the files: model.safetensors, or shards of at most `shard_bytes` (0: 5 GB; a larger
 * tensor stands alone) and an index. `dtype` is F32, BF16 or F16. `layout` is borrowed. */
judo_status judo_model_writer_create(const char *directory, const judo_param_layout *layout,
                                     judo_dtype dtype, int64_t shard_bytes,
                                     judo_model_writer **out) JUDO_MUST_CHECK;
judo_status judo_model_writer_begin(judo_model_writer *writer) JUDO_MUST_CHECK;
/* Writes elements [first, first+count) of parameter `param_index` of the layout. */
judo_status judo_model_writer_write(judo_model_writer *writer, int param_index, int64_t first,
                                    int64_t count, const float *values) JUDO_MUST_CHECK;
/* Flushes what this rank wrote to the disk. */
judo_status judo_model_writer_sync(judo_model_writer *writer) JUDO_MUST_CHECK;
judo_status judo_model_writer_end(judo_model_writer *writer) JUDO_MUST_CHECK;
void judo_model_writer_destroy(judo_model_writer **writer);

/* Copies config.json, tokenizer, preprocessor, chat template and generation files byte for
 * byte. config.json must exist; the others are copied where they do. One rank. */
judo_status judo_model_copy_files(const char *source, const char *target) JUDO_MUST_CHECK;

#endif
