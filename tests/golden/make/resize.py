"""Writes the golden table for tests/data/test_resize.c: python resize.py OUT [COUNT] [SEED].

Needs Pillow 11: Pillow 13 swaps the two passes for some shapes.
Each line: filter channels width height out_width out_height crc32 of Pillow's bytes. The picture
is the byte sequence of the generator in `noise`, which the C test repeats.
"""
import random
import sys
import zlib

import numpy as np
from PIL import Image

FILTERS = {0: Image.NEAREST, 1: Image.BICUBIC, 2: Image.LANCZOS}


def noise(count):
    word, values = 12345, bytearray(count)
    for i in range(count):
        word = (word * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = word >> 24
    return bytes(values)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    draw = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with open(sys.argv[1], "w") as out:
        for i in range(count):
            kind, channels = i % 3, (3, 3, 1)[i // 3 % 3]
            width, height, wide, high = (draw.randint(1, 90) for _ in range(4))
            if i % 8 == 7:
                wide = width
            data = noise(width * height * channels)
            image = Image.frombytes("RGB" if channels == 3 else "L", (width, height), data)
            resized = np.asarray(image.resize((wide, high), FILTERS[kind]))
            out.write(f"{kind} {channels} {width} {height} {wide} {high} "
                      f"{zlib.crc32(resized.tobytes()):08x}\n")


main()
