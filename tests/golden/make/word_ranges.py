"""Writes rewards/word_ranges.h: what Python's `\\w` and int() take as word characters and digits.

usage: word_ranges.py OUTPUT
"""
import sys

HEAD = """/* rewards/word_ranges.h: the code points that Python's regex `\\w` matches and that int() reads as
 * decimal digits. Made by tests/golden/make/word_ranges.py (Unicode %s). */
#ifndef JUDO_REWARDS_WORD_RANGES_H
#define JUDO_REWARDS_WORD_RANGES_H

// clang-format off
"""


def rows(values, per_line):
    for i in range(0, len(values), per_line):
        yield "    " + ", ".join(values[i:i + per_line]) + ","


def main():
    import unicodedata
    ranges, start = [], None
    for cp in range(0x110001):
        inside = cp < 0x110000 and (chr(cp).isalnum() or cp == 0x5F)
        if inside and start is None:
            start = cp
        elif not inside and start is not None:
            ranges.append((start, cp - 1))
            start = None
    zeros = [cp for cp in range(0x110000) if chr(cp).isdecimal() and unicodedata.decimal(chr(cp)) == 0]
    for zero in zeros:
        assert all(unicodedata.decimal(chr(zero + i)) == i for i in range(10))
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(HEAD % unicodedata.unidata_version)
        out.write("/* First and last of each run of word characters, ascending. */\n")
        out.write("#define JUDO_WORD_RANGE_COUNT %d\n#define JUDO_WORD_RANGES \\\n" % len(ranges))
        pairs = ["{0x%X, 0x%X}" % pair for pair in ranges]
        out.write(" \\\n".join(rows(pairs, 5)) + "\n\n")
        out.write("/* The zero of each run of ten decimal digits, ascending. */\n")
        out.write("#define JUDO_DIGIT_ZERO_COUNT %d\n#define JUDO_DIGIT_ZEROS \\\n" % len(zeros))
        out.write(" \\\n".join(rows(["0x%X" % zero for zero in zeros], 10)) + "\n")
        out.write("// clang-format on\n\n#endif\n")


main()
