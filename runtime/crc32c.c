/* runtime/crc32c.c: by the processor's instruction where the build allows it, else bit by bit
 * through a table of nibbles. */
#include "runtime/crc32c.h"

#include <string.h>

#ifdef __SSE4_2__

uint32_t judo_crc32c(uint32_t crc, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t state = ~crc;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        state = __builtin_ia32_crc32di(state, word);
    }
    uint32_t narrow = (uint32_t)state;
    for (; bytes > 0; bytes--, at++) {
        narrow = __builtin_ia32_crc32qi(narrow, *at);
    }
    return ~narrow;
}

#else

uint32_t judo_crc32c(uint32_t crc, const void *data, size_t bytes)
{
    /* Entry i: the remainder of the reflected polynomial 0x82F63B78 for the nibble i. */
    static const uint32_t nibbles[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    const unsigned char *at = data;
    uint32_t state = ~crc;
    for (; bytes > 0; bytes--, at++) {
        state ^= *at;
        state = (state >> 4) ^ nibbles[state & 15];
        state = (state >> 4) ^ nibbles[state & 15];
    }
    return ~state;
}

#endif
