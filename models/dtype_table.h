/* models/dtype_table.h: says which number has which type. */
#ifndef JUDO_MODELS_DTYPE_TABLE_H
#define JUDO_MODELS_DTYPE_TABLE_H

#include <stdbool.h>

#include "runtime/tensor.h"

/* Logs the types of a model that computes in `compute`; `training` adds what a backward pass
 * and an update need. */
void judo_dtype_table_log(judo_dtype compute, bool training);

#endif
