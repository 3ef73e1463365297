/* runtime/host_device.h: marks header-only functions that both the host and the CUDA compiler
 * read.
 */
#ifndef JUDO_RUNTIME_HOST_DEVICE_H
#define JUDO_RUNTIME_HOST_DEVICE_H

#ifdef __CUDACC__
#define JUDO_HD __host__ __device__
#else
#define JUDO_HD
#endif

#endif
