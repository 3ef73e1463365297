"""Image processing: decoded pictures to patches."""
import time

import fixtures
from frame import Race, THREADS

COUNT = 8


def processor(kind, folder, images):
    """One of Transformers' image processors on all pictures in one call."""
    instance = kind.from_pretrained(folder)

    def measure():
        begin = time.perf_counter()
        out = instance(images=images, return_tensors="pt")
        elapsed = time.perf_counter() - begin
        grids, first, total = out["image_grid_thw"].tolist(), 0, 0.0
        for grid in grids:
            total += float(out["pixel_values"][first, 0]) + grid[1] * grid[2]
            first += grid[1] * grid[2]
        return {"process": elapsed, "outcome": total}
    return measure


def races(context):
    import torch
    from PIL import Image
    from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorPil
    torch.set_num_threads(THREADS)
    folder = fixtures.small_vlm(context)
    for side in (504, 1024):
        paths = fixtures.pictures(context, side, COUNT)
        path = fixtures.write_lines(context.folder / "pictures.jsonl", [{"image": str(file)} for file in paths])
        images = [Image.open(file).convert("RGB") for file in paths]
        yield Race(f"{COUNT} pictures {side} x {side} to patches", "-", {"process": 1},
                   context.serve("images", folder, path, "--threads", THREADS),
                   {"slow (Pillow)": processor(Qwen2VLImageProcessorPil, folder, images),
                    "fast (torchvision)": processor(Qwen2VLImageProcessor, folder, images)},
                   lambda own, other: f"check sums {own:.3f} and {other:.3f}")
