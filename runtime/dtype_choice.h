/* runtime/dtype_choice.h: the dtypes that a model can compute in, as users spell them. */
#ifndef JUDO_RUNTIME_DTYPE_CHOICE_H
#define JUDO_RUNTIME_DTYPE_CHOICE_H

#include "runtime/tensor.h"

/* Choices of a configuration field: judo's names, then Transformers'. */
#define JUDO_DTYPE_CHOICES "f32|bf16|float32|bfloat16"

/* The dtype of the choice with this index. */
judo_dtype judo_dtype_of_choice(int choice);

/* The dtype that `text` names; JUDO_ERROR_ARGUMENT, saying that it came from `source`, unless
 * it is one of the choices. */
judo_status judo_dtype_parse(const char *text, const char *source,
                             judo_dtype *out) JUDO_MUST_CHECK;

#endif
