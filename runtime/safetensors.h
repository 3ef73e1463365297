/* runtime/safetensors.h: strict reading and parallel writing of safetensors files (F32, BF16,
 * F16). */
#ifndef JUDO_RUNTIME_SAFETENSORS_H
#define JUDO_RUNTIME_SAFETENSORS_H

#include <stdint.h>

#include "runtime/tensor.h"

typedef struct judo_safetensors_entry {
    char *name;
    judo_dtype dtype;
    int num_dims;
    int64_t dims[JUDO_MAX_DIMS];
    int64_t begin, end; /* bytes in the data section */
} judo_safetensors_entry;

typedef struct judo_safetensors judo_safetensors;

enum { JUDO_SAFETENSORS_OTHER = 255 }; /* a dtype that is neither F32, BF16 nor F16 */

/* Opens and checks the whole header: size limits (100 MB, 100,000 tensors), known dtypes, no
 * overlap, no hole, no duplicate, no trailing bytes, shape product equal to the byte range.
 * Tensors of other dtypes are not counted, but `find` knows them: their dtype is
 * JUDO_SAFETENSORS_OTHER and reading them is an error. */
judo_status judo_safetensors_open(const char *path, judo_safetensors **out) JUDO_MUST_CHECK;
void judo_safetensors_close(judo_safetensors **file);
/* Entries in the order of their bytes. */
int judo_safetensors_count(const judo_safetensors *file);
const judo_safetensors_entry *judo_safetensors_entry_at(const judo_safetensors *file,
                                                        int index);
/* NULL if absent. */
const judo_safetensors_entry *judo_safetensors_find(const judo_safetensors *file,
                                                    const char *name);
/* Reads elements [first, first+count) as fp32 (pread: safe from several threads and ranks). */
judo_status judo_safetensors_read(const judo_safetensors *file,
                                  const judo_safetensors_entry *entry, int64_t first,
                                  int64_t count, float *out) JUDO_MUST_CHECK;

/* Writing: every rank plans the same file, one creates it, all write their ranges, one
 * finishes. `create` writes the header and sets the file's size; `write` converts fp32 to the
 * entry's dtype and pwrites a range. */
typedef struct judo_safetensors_plan judo_safetensors_plan;
judo_status judo_safetensors_plan_create(const char *path,
                                         judo_safetensors_plan **out) JUDO_MUST_CHECK;
judo_status judo_safetensors_plan_add(judo_safetensors_plan *plan, const char *name,
                                      judo_dtype dtype, const int64_t *dims, int num_dims,
                                      int *index) JUDO_MUST_CHECK;
/* Whole bytes of the planned file (header included). Freezes the plan. */
int64_t judo_safetensors_plan_bytes(judo_safetensors_plan *plan);
judo_status
judo_safetensors_create_file(judo_safetensors_plan *plan) JUDO_MUST_CHECK; /* one rank */
judo_status judo_safetensors_write(judo_safetensors_plan *plan, int index, int64_t first,
                                   int64_t count, const float *values) JUDO_MUST_CHECK;
judo_status judo_safetensors_sync(judo_safetensors_plan *plan)
    JUDO_MUST_CHECK; /* fsync of this rank's descriptor */
void judo_safetensors_plan_destroy(judo_safetensors_plan **plan);

#endif
