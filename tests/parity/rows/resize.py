"""Pictures scaled by Pillow's filters, byte by byte."""
import numpy
from PIL import Image

from frame import Case, row

FILTERS = [(0, Image.Resampling.NEAREST), (1, Image.Resampling.BICUBIC), (2, Image.Resampling.LANCZOS)]


def draw_size(random):
    """Mostly moderate, sometimes a thin strip or a camera's frame."""
    kind = random.random()
    if kind < 0.1:
        return random.choice([(1, 200), (200, 1), (1, 1), (2, 3000)])
    high = 4000 if kind > 0.95 else 700
    return random.randint(1, high), random.randint(1, min(high, 3000))


@row("nearest, bicubic, Lanczos", "Pillow 11.1 Image.resize", bar=0, cases=200, unit="bytes")
def resize(context):
    noise = numpy.random.default_rng(context.seed)
    for index in range(context.cases):
        (width, height), (wide, high) = draw_size(context.random), draw_size(context.random)
        number, pillow = FILTERS[index % 3]
        mode = "RGB" if context.random.random() < 0.7 else "L"
        pixels = noise.integers(0, 256, (height, width, 3) if mode == "RGB" else (height, width), dtype=numpy.uint8)
        image = Image.fromarray(pixels)
        source, target = context.folder / "source.png", context.folder / "target.png"
        image.save(source, compress_level=1)
        context.filter("judo_parity", "resize", requests=[{
            "image": str(source), "output": str(target), "width": wide, "height": high, "channels": len(mode), "filter": number}])
        expected = numpy.asarray(image.resize((wide, high), pillow))
        found = numpy.asarray(Image.open(target))
        name = f"{pillow.name} {mode} {width}x{height} to {wide}x{high}"
        yield Case(name, int((expected != found).sum()), items=wide * high)
