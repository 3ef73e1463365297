"""Masks to cells of the 16 x 16 grid and their text, as the reference code's stage 1 and stage 3 do it."""
import io

import numpy
from PIL import Image

from frame import Case, row
from picture_files import draw_png
from reference_cells import cells_text, stage1_cells, stage3_cells

N = 16  # cells a side


def draw_mask(random, noise):
    """Blobs, single pixels and shares of exactly 2%, in sizes whose cells are uneven or empty; some as other kinds of PNG."""
    if random.random() < 0.15:
        return draw_png(random, noise, random.randint(1, 300), random.randint(1, 300))
    height, width = (random.choice([random.randint(1, 40), 16 * random.choice([5, 10, 15, 20, 50]), random.randint(16, 900)]) for _ in range(2))
    mask = numpy.zeros((height, width), dtype=numpy.uint8)
    for _ in range(random.randint(0, 6)):
        top, left = random.randrange(height), random.randrange(width)
        mask[top:top + random.randint(1, 1 + height // 4), left:left + random.randint(1, 1 + width // 4)] = random.choice([1, 127, 255])
    for _ in range(random.randint(0, 40)):
        top, left = random.randrange(N) * height // N, random.randrange(N) * width // N
        cell = mask[top:top + max(1, height // N), left:left + max(1, width // N)]
        cell[:] = 0
        cell.flat[:max(1, cell.size // 50)] = 255
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "png")
    return "mask", buffer.getvalue()


@row("masks to cells and text", "the reference code's _grid_from_mask, _format_answer and reward", bar=0, cases=200, unit="masks")
def masks(context):
    noise = numpy.random.default_rng(context.seed)
    for _ in range(context.cases):
        name, content = draw_mask(context.random, noise)
        path = context.folder / "mask.png"
        path.write_bytes(content)
        image = Image.open(path)
        for rule, cells in (("reference", stage1_cells(image)), ("reward", stage3_cells(image))):
            answer, = context.answers("judo", "cells", path, "--rule", rule, "--separator", " , ")
            text = answer["text"].removeprefix("<seg>").removesuffix("</seg>").strip()
            wrong = answer["cells"] != cells or text != cells_text(cells)
            yield Case(f"{name} {image.size[0]}x{image.size[1]}, {rule}", int(wrong), items=1)
