"""A training step of a text decoder of GPT-2's size: 4 sequences of 64 tokens."""
import random

import fixtures
from frame import Race


def compare_losses(own, other):
    """How far apart the two sides' losses are before the first update."""
    return f"loss {own:.4f} and {other:.4f}"


def races(context):
    import torch_side
    folder, draw = fixtures.gpt2_size(context), random.Random(1)
    sequences = [{"tokens": [draw.randrange(5000) for _ in range(64)], "first_target": 1} for _ in range(4)]
    path = fixtures.write_lines(context.folder / "text.jsonl", sequences)
    batch = torch_side.inputs(folder, sequences)
    for dtype in context.dtypes:
        trainer = torch_side.Trainer(folder, [batch], dtype)
        yield Race("text 124 M, 4 x 64 tokens", dtype, {"forward": 1, "backward": 1, "update": 1, "step": 1.5},
                   context.serve("train", folder, path, "--micro-batch", 4, "--dtype", dtype),
                   {"autocast" if dtype == "bf16" else "padded batch": trainer.measure}, compare_losses)
        del trainer
