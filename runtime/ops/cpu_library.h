/* runtime/ops/cpu_library.h: the library behind the CPU's matrix products. */
#ifndef JUDO_RUNTIME_OPS_CPU_LIBRARY_H
#define JUDO_RUNTIME_OPS_CPU_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* Its version and the instructions that it uses here: "oneDNN 2.6.0, AVX-512". Tells
 * whether it has fast products of bf16 matrices. */
bool judo_cpu_library_describe(char *out, size_t bytes);

#endif
