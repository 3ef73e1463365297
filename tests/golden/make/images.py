"""Writes small pictures and Pillow's reading of them: python images.py FOLDER.

FOLDER/images.txt has one line per file: name width height crc32-of-RGB crc32-of-L.
"""
import pathlib
import sys
import zlib

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
from picture_files import encode_png  # pylint: disable=wrong-import-position

folder = pathlib.Path(sys.argv[1])
WIDTH, HEIGHT = 19, 13
draw = np.random.RandomState(5)
smooth = np.stack([np.add.outer(np.arange(HEIGHT) * a, np.arange(WIDTH) * b) % 256
                   for a, b in ((7, 11), (13, 3), (5, 17))], axis=2).astype(np.uint8)
rgb = Image.fromarray(smooth)
grey = rgb.convert("L")


def raw_png(name, depth, color, samples, interlaced=False):
    (folder / name).write_bytes(encode_png(samples, depth, color, interlaced))


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
raw_png("four_bit.png", 4, 0, np.asarray(grey)[..., None] >> 4)
raw_png("rgb16.png", 16, 2, draw.randint(0, 65536, (HEIGHT, WIDTH, 3)))
raw_png("grey16.png", 16, 0, draw.randint(0, 400, (HEIGHT, WIDTH, 1)))
raw_png("interlaced.png", 8, 2, smooth, interlaced=True)
raw_png("grey16_interlaced.png", 16, 0, draw.randint(0, 400, (HEIGHT, WIDTH, 1)), interlaced=True)
inks = Image.fromarray(np.dstack([smooth, np.asarray(grey) // 2]), mode="CMYK")
inks.save(folder / "cmyk.jpg", quality=80)
content = (folder / "cmyk.jpg").read_bytes()
adobe = content.index(b"Adobe") + 11  # how the inks are coded
(folder / "ycck.jpg").write_bytes(content[:adobe] + b"\x02" + content[adobe + 1:])
turned = Image.Exif()
turned[0x0112] = 6
rgb.save(folder / "turned.jpg", quality=80, exif=turned)

with open(folder / "images.txt", "w") as table:
    for path in sorted(folder.glob("*.*g")):
        image = Image.open(path)
        crcs = [zlib.crc32(image.convert(mode).tobytes()) for mode in ("RGB", "L")]
        table.write(f"{path.name} {WIDTH} {HEIGHT} {crcs[0]:08x} {crcs[1]:08x}\n")
