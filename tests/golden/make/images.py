"""Writes small pictures and Pillow's reading of them: python images.py FOLDER.

FOLDER/images.txt has one line per file: name width height crc32-of-RGB crc32-of-L.
"""
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image

folder = pathlib.Path(sys.argv[1])
WIDTH, HEIGHT = 19, 13
draw = np.random.RandomState(5)
smooth = np.stack([np.add.outer(np.arange(HEIGHT) * a, np.arange(WIDTH) * b) % 256
                   for a, b in ((7, 11), (13, 3), (5, 17))], axis=2).astype(np.uint8)
rgb = Image.fromarray(smooth)
grey = rgb.convert("L")


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def raw_png(name, depth, color, rows):
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                                + chunk(b"IDAT", body) + chunk(b"IEND", b""))


rgb.save(folder / "420.jpg", quality=80)
rgb.save(folder / "444.jpg", quality=90, subsampling=0)
rgb.save(folder / "422.jpg", quality=80, subsampling=1)
rgb.save(folder / "progressive.jpg", quality=80, progressive=True)
grey.save(folder / "grey.jpg", quality=80)
alpha = Image.fromarray(draw.randint(0, 256, (HEIGHT, WIDTH), dtype=np.uint8))
rgba = rgb.copy()
rgba.putalpha(alpha)
rgba.save(folder / "rgba.png")
grey_alpha = grey.copy()
grey_alpha.putalpha(alpha)
grey_alpha.save(folder / "grey_alpha.png")
rgb.quantize(16).save(folder / "palette.png", transparency=3)
grey.convert("1").save(folder / "one_bit.png")
four_bit = (np.asarray(grey) >> 4).astype(np.uint8)
packed = np.pad(four_bit, ((0, 0), (0, WIDTH % 2)))
raw_png("four_bit.png", 4, 0, [(row[0::2] << 4 | row[1::2]).tobytes() for row in packed])
raw_png("rgb16.png", 16, 2,
        [row.tobytes() for row in draw.randint(0, 65536, (HEIGHT, WIDTH * 3)).astype(">u2")])
rgb.convert("CMYK").save(folder / "cmyk.jpg")

with open(folder / "images.txt", "w") as table:
    for path in sorted(folder.glob("*.*g")):
        if path.name == "cmyk.jpg":
            continue
        image = Image.open(path)
        crcs = [zlib.crc32(image.convert(mode).tobytes()) for mode in ("RGB", "L")]
        table.write(f"{path.name} {WIDTH} {HEIGHT} {crcs[0]:08x} {crcs[1]:08x}\n")
