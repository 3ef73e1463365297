/* runtime/crc32c.h: the Castagnoli checksum (iSCSI, TFRecord). */
#ifndef JUDO_RUNTIME_CRC32C_H
#define JUDO_RUNTIME_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `bytes`. */
uint32_t judo_crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
