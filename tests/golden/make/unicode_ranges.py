"""Writes data/unicode_ranges.c: python unicode_ranges.py OUTPUT (run clang-format over it).

The classes of code points are asked of the `tokenizers` library itself, whose parts know different versions of Unicode: the
regular expressions 16.0, the normal forms 9.0 and BERT's categories 8.0. The last two are written as the points that a
newer Unicode (utf8proc's, here the 15.0 that judo links) classifies and the library does not. Needs tokenizers 0.23 and
utf8proc 2.8 as a shared library.
"""
import ctypes
import ctypes.util
import sys

from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [point for point in range(1, 0x110000) if not 0xD800 <= point < 0xE000]
utf8proc = ctypes.CDLL(ctypes.util.find_library("utf8proc"))
utf8proc.utf8proc_category_string.restype = ctypes.c_char_p


class Property(ctypes.Structure):
    _fields_ = [("category", ctypes.c_int16), ("combining_class", ctypes.c_int16)]


utf8proc.utf8proc_get_property.restype = ctypes.POINTER(Property)


def category(point):
    return utf8proc.utf8proc_category_string(point).decode()


def matching(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    for start in range(0, len(POINTS), 4096):
        text = "".join(map(chr, POINTS[start:start + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found.update(map(ord, piece))
    return found


def unordered_marks():
    """Marks that NFC takes for letters: it neither moves others over them nor composes over them."""
    form = normalizers.NFC()
    found = set()
    for point in POINTS:
        if utf8proc.utf8proc_get_property(point).contents.combining_class:
            around = "a\u0334" + chr(point) + "\u0323\u0301b"
            if form.normalize_str(around) == around and point not in (0x323, 0x334):
                found.add(point)
    return found


def unknown_to_bert():
    """Control characters, marks and punctuation that BERT keeps inside words like letters."""
    form, split = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    found = set()
    for point in POINTS:
        kind = category(point)
        if kind in ("Cc", "Cf", "Co", "Mn") or kind[0] == "P":
            text = form.normalize_str("x" + chr(point) + "y")
            if text != "xy" and len(split.pre_tokenize_str(text)) == 1:
                found.add(point)
    return found


def ranges(points):
    out = []
    for point in sorted(points):
        if out and out[-1][1] == point - 1:
            out[-1][1] = point
        else:
            out.append([point, point])
    return out


def table(name, points):
    rows = ", ".join(f"{{0x{first:04X}, 0x{last:04X}}}" for first, last in ranges(points))
    return f"static const range {name}[] = {{{rows}}};\n\n"


def function(name, table_name):
    return f"bool {name}(int32_t point)\n{{ return holds({table_name}, (int)(sizeof {table_name} / sizeof {table_name}[0]), point); }}\n\n"


HEAD = """/* data/unicode_ranges.c: classes of code points as the reference tokenizers know them; made by
 * tests/golden/make/unicode_ranges.py. */
#include "data/unicode_ranges.h"

typedef struct range {
    int32_t first, last;
} range;

static bool holds(const range *ranges, int count, int32_t point)
{
    int low = 0;
    int high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ranges[middle].last < point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && ranges[low].first <= point;
}

"""


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(HEAD)
        out.write(table("letters", matching(r"\p{L}+")) + table("numbers", matching(r"\p{N}+")))
        out.write(table("unordered_marks", unordered_marks()) + table("unknown_to_bert", unknown_to_bert()))
        for name, table_name in (("letter", "letters"), ("number", "numbers"), ("unordered_mark", "unordered_marks"),
                                 ("unknown_to_bert", "unknown_to_bert")):
            out.write(function(f"judo_unicode_is_{name}", table_name))


main()
