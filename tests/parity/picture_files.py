"""Random picture files of every kind that people have: PNG of all depths and layouts, JPEG of all colour spaces."""
import io
import struct
import zlib

import numpy
from PIL import Image

# colour type of a PNG: grey 0, RGB 2, palette 3, grey with alpha 4, RGBA 6
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first column, first row, column step, row step of each pass
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(values, depth):
    """Rows of [height, width * channels] samples as a PNG stores them, without filters."""
    if depth == 16:
        packed = values.astype(">u2").view(numpy.uint8)
    elif depth == 8:
        packed = values.astype(numpy.uint8)
    else:
        bits = (values[..., None] >> numpy.arange(depth - 1, -1, -1)) & 1
        packed = numpy.packbits(bits.reshape(len(values), -1).astype(numpy.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def encode_png(samples, depth, color, interlaced=False, chunks=()):
    """A PNG of [height, width, channels] samples; Pillow writes neither all depths nor interlaced files."""
    height, width, channels = samples.shape
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    body = b""
    for left, top, right, down in PASSES if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::down, left::right]
        if part.size:
            body += pack_rows(part.reshape(len(part), -1), depth)
    middle = b"".join(chunk(kind, data) for kind, data in chunks)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + middle + chunk(b"IDAT", zlib.compress(body, 1)) + chunk(b"IEND", b""))


def smooth(noise, width, height, channels):
    """Coarse noise scaled up, so that JPEG and filters have edges and slopes to work on."""
    small = noise.integers(0, 256, (min(height, 24), min(width, 24), channels), dtype=numpy.uint8)
    layers = [numpy.asarray(Image.fromarray(small[..., i]).resize((width, height), Image.Resampling.BILINEAR)) for i in range(channels)]
    grain = noise.integers(-9, 10, (height, width, channels))
    return (numpy.stack(layers, axis=2).astype(int) + grain).clip(0, 255).astype(numpy.uint8)


def draw_png(random, noise, width, height):
    color = random.choice([0, 2, 3, 4, 6])
    depth = random.choice({0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}[color])
    samples = smooth(noise, width, height, CHANNELS[color]).astype(numpy.uint16)
    samples = samples >> (8 - depth) if depth <= 8 else samples * 256 + noise.integers(0, 256, samples.shape)
    if depth == 16 and random.random() < 0.5:
        samples = noise.integers(0, 400, samples.shape)  # dark, as many sensors' pictures are
    chunks = []
    if color == 3:
        entries = 1 << depth
        chunks.append((b"PLTE", noise.integers(0, 256, 3 * entries, dtype=numpy.uint8).tobytes()))
        if random.random() < 0.5:
            chunks.append((b"tRNS", noise.integers(0, 256, random.randint(1, entries), dtype=numpy.uint8).tobytes()))
    elif color in (0, 2) and random.random() < 0.3:  # one colour is transparent
        chunks.append((b"tRNS", struct.pack(">H", int(samples[0, 0, 0])) * CHANNELS[color]))
    if random.random() < 0.3:
        chunks.insert(0, (b"gAMA", struct.pack(">I", 45455)))
    interlaced = random.random() < 0.3
    name = f"png colour {color}, {depth} bits" + (", interlaced" if interlaced else "") + (", tRNS" if chunks and chunks[-1][0] == b"tRNS" else "")
    return name, encode_png(samples, depth, color, interlaced, chunks)


def draw_jpeg(random, noise, width, height):
    mode = random.choice(["RGB", "RGB", "RGB", "L", "CMYK", "YCCK"])
    samples = smooth(noise, width, height, {"L": 1, "RGB": 3}.get(mode, 4))
    image = Image.fromarray(samples[..., 0] if mode == "L" else samples, mode="CMYK" if mode == "YCCK" else mode)
    settings = {"quality": random.randint(20, 98), "progressive": random.random() < 0.4, "optimize": random.random() < 0.3}
    name = f"jpeg {mode}" + (", progressive" if settings["progressive"] else "")
    if mode == "RGB":
        settings["subsampling"] = random.randint(0, 2)
        name += f", {['4:4:4', '4:2:2', '4:2:0'][settings['subsampling']]}"
    if random.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = random.randint(2, 8)
        settings["exif"] = exif
        name += f", EXIF orientation {exif[0x0112]}"
    if random.random() < 0.2:
        settings["restart_marker_blocks"] = random.randint(1, 9)
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", **settings)
    content = buffer.getvalue()
    if mode == "YCCK":  # Adobe's segment says how the inks are coded
        at = content.index(b"Adobe")
        content = content[:at + 11] + b"\x02" + content[at + 12:]
    return name, content


def draw_picture(random, noise, width, height):
    """A name that says what it is, and the bytes of the file."""
    draw = draw_png if random.random() < 0.55 else draw_jpeg
    return draw(random, noise, width, height)
