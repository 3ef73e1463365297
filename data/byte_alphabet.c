/* data/byte_alphabet.c: bytes as visible characters and back. */
#include "data/byte_alphabet.h"

#include "data/unicode.h"

static bool stands_for_itself(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
           (byte >= 0xAE && byte <= 0xFF);
}

/* How many bytes below `byte` do not stand for themselves: 0x00-0x20, 0x7F-0xA0 and 0xAD. */
static int shifted_below(int byte)
{
    if (byte <= 0x20) {
        return byte;
    }
    return byte <= 0xA0 ? 0x21 + (byte - 0x7F) : 67;
}

int32_t judo_byte_to_point(unsigned char byte)
{
    return stands_for_itself(byte) ? byte : 0x100 + shifted_below(byte);
}

int judo_point_to_byte(int32_t point)
{
    if (point >= 0 && point < 0x100) {
        return stands_for_itself(point) ? point : -1;
    }
    int shifted = point - 0x100;
    if (shifted < 0 || shifted > 67) {
        return -1;
    }
    if (shifted <= 0x20) {
        return shifted;
    }
    return shifted == 67 ? 0xAD : 0x7F + (shifted - 0x21);
}

unsigned char judo_byte_at(int rank)
{
    /* 94 + 12 + 82 bytes stand for themselves; the rest follow in byte order. */
    if (rank < 94) {
        return (unsigned char)('!' + rank);
    }
    if (rank < 106) {
        return (unsigned char)(0xA1 + rank - 94);
    }
    if (rank < 188) {
        return (unsigned char)(0xAE + rank - 106);
    }
    return (unsigned char)judo_point_to_byte(0x100 + rank - 188);
}

judo_status judo_byte_alphabet_write(const char *bytes, size_t length, judo_text *out)
{
    JUDO_TRY(judo_text_reserve(out, length * 2));
    for (size_t i = 0; i < length; i++) {
        JUDO_TRY(judo_utf8_append(out, judo_byte_to_point((unsigned char)bytes[i])));
    }
    return JUDO_OK;
}

judo_status judo_byte_alphabet_read(const char *text, size_t length, judo_text *out)
{
    size_t start = out->length;
    JUDO_TRY(judo_text_reserve(out, length));
    size_t at = 0;
    while (at < length) {
        int32_t point = 0;
        size_t used = judo_utf8_next(text + at, length - at, &point);
        int byte = used == 0 ? -1 : judo_point_to_byte(point);
        if (byte < 0) {
            out->length = start;
            return judo_text_append(out, text, length);
        }
        char value = (char)(unsigned char)byte;
        JUDO_TRY(judo_text_append(out, &value, 1));
        at += used;
    }
    return JUDO_OK;
}
