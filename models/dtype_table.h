/* models/dtype_table.h: says which number has which type. */
#ifndef JUDO_MODELS_DTYPE_TABLE_H
#define JUDO_MODELS_DTYPE_TABLE_H

#include "runtime/tensor.h"

/* Logs the types of a model that computes in `compute`. */
void judo_dtype_table_log(judo_dtype compute);
/* The same, and what a backward pass and an update need; sums of gradients are kept in
 * `gradients`. */
void judo_dtype_table_log_training(judo_dtype compute, judo_dtype gradients);

#endif
