"""Writes the golden table for tests/data/test_image_processor.c: python image_processor.py OUT.

Each line: width height min_pixels max_pixels grid_h grid_w crc32-of-the-patches first last: what
Transformers' Pillow processor for Qwen2-VL makes of the generator's noise. Needs Pillow 11.
"""
import sys
import zlib

import numpy as np
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

CASES = [(100, 60, 3136, 12845056), (30, 30, 3136, 12845056), (70, 45, 3136, 12845056),
         (56, 84, 3136, 12845056), (200, 150, 3136, 10000), (9, 300, 3136, 12845056)]


def noise(count):
    word, values = 12345, bytearray(count)
    for i in range(count):
        word = (word * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = word >> 24
    return bytes(values)


def main():
    with open(sys.argv[1], "w") as out:
        for width, height, least, most in CASES:
            processor = Qwen2VLImageProcessorPil(min_pixels=least, max_pixels=most)
            image = Image.frombytes("RGB", (width, height), noise(width * height * 3))
            result = processor(images=image, return_tensors="np")
            patches = np.ascontiguousarray(result["pixel_values"], dtype="<f4")
            _, rows, columns = result["image_grid_thw"][0]
            out.write(f"{width} {height} {least} {most} {rows} {columns} "
                      f"{zlib.crc32(patches.tobytes()):08x} "
                      f"{patches[0, 0]:.9g} {patches[-1, -1]:.9g}\n")


main()
