"""Picture files of all kinds through decoding, resizing and the patches of the image processor.

The policy of both sides is that of the reference training code: `Image.open(file).convert("RGB")`. So an orientation in the
EXIF data is not applied, transparency is dropped, and grey of 16 bits is cut at 255. Given a file itself, Transformers 5 would
turn the picture and lay transparent pixels on white; Transformers 4, which the reference code ran with, did neither for RGB.
"""
import warnings

import numpy
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from frame import Case, row
from picture_files import draw_picture

LIMITS = [(3136, 12845056), (3136, 1003520), (200704, 401408), (3136, 50176), (50176, 50176)]


def draw_size(random, index):
    """Moderate ones, thin strips up to 1:200, and two of a camera's size."""
    if index < 2:
        return (4000, 3000) if index == 0 else (2448, 3264)
    if random.random() < 0.15:
        return random.choice([(1, 200), (200, 1), (1, 1), (3, 600), (1999, 10), (28, 28), (2, 2)])
    width = random.randint(2, 900)
    return width, random.randint(5, min(900, 200 * width))


def open_as_reference(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about palettes with transparency
        image = Image.open(path).convert("RGB")
    image.info.pop("transparency", None)  # which Transformers 5 would apply even to RGB
    return image


@row("picture files to patches and grid", "Pillow 11.1, Qwen2VLImageProcessorPil", bar=0, cases=200, unit="values")
def pictures(context):
    noise = numpy.random.default_rng(context.seed)
    for index in range(context.cases):
        width, height = draw_size(context.random, index)
        name, content = draw_picture(context.random, noise, width, height)
        least, most = context.random.choice(LIMITS)
        square = 512 if context.random.random() < 0.25 else 0
        source, target = context.folder / "picture", context.folder / "patches"
        source.write_bytes(content)
        answer, = context.filter("judo_parity", "patches", requests=[{
            "image": str(source), "output": str(target), "min_pixels": least, "max_pixels": most, "square": square}])
        image = open_as_reference(source)
        if square:
            image = image.resize((square, square), Image.Resampling.LANCZOS)
        expected = Qwen2VLImageProcessorPil(min_pixels=least, max_pixels=most)(images=image, return_tensors="np")
        name = f"{name}, {width}x{height}, {least}..{most} pixels" + (", first to 512x512" if square else "")
        grid = expected["image_grid_thw"][0].tolist()
        found = numpy.fromfile(target, dtype=numpy.float32)
        patches = numpy.ascontiguousarray(expected["pixel_values"], dtype=numpy.float32).reshape(-1)
        if answer["grid"] != grid or found.size != patches.size:
            yield Case(f"{name}: grid {answer['grid']}, not {grid}", max(found.size, patches.size), items=patches.size)
        else:
            yield Case(name, int((found.view(numpy.uint32) != patches.view(numpy.uint32)).sum()), items=patches.size)
