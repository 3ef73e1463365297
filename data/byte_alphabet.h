/* data/byte_alphabet.h: the byte-level alphabet: each byte is written as one visible character
 * (GPT-2's table: Latin-1's printable characters stand for themselves, the other 68 bytes for
 * U+0100 and up). Vocabulary and merges files are written in it. */
#ifndef JUDO_DATA_BYTE_ALPHABET_H
#define JUDO_DATA_BYTE_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/buffers.h"
#include "runtime/status.h"

enum { JUDO_BYTES = 256 };

/* The character of a byte, and the byte of a character (-1: not in the alphabet). */
int32_t judo_byte_to_point(unsigned char byte);
int judo_point_to_byte(int32_t point);
/* The bytes in the order of their characters: the order of the first 256 ids of a vocabulary.
 */
unsigned char judo_byte_at(int rank);

/* Appends bytes written in the alphabet. */
judo_status judo_byte_alphabet_write(const char *bytes, size_t length,
                                     judo_text *out) JUDO_MUST_CHECK;
/* Appends the bytes that a text in the alphabet stands for. A text with any other character is
 * appended as it is (as the peers do for special tokens inside a vocabulary). */
judo_status judo_byte_alphabet_read(const char *text, size_t length,
                                    judo_text *out) JUDO_MUST_CHECK;

#endif
