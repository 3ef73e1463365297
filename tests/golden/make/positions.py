"""Writes tests/golden/positions.jsonl: positions of tokens and of patches by Transformers: python positions.py OUTPUT.

A line has "images" and either "num_tokens", "positions" and "next", or "window" and the order of patches.
"""
import json
import pathlib
import random
import sys


sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
from rows.positions import draw_tokens, small_model, token_reference, patch_reference  # pylint: disable=wrong-import-position


def main():
    rng = random.Random(8)
    model = small_model()
    draw = lambda: (2 * rng.choice([1, 2, 4, 5, 9]), 2 * rng.choice([1, 3, 4, 8]))
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for count in (0, 1, 1, 2, 3):
            grids = [draw() for _ in range(count)]
            ids, images = draw_tokens(rng, grids)
            positions, following = token_reference(model, ids, grids)
            out.write(json.dumps({"num_tokens": len(ids), "images": images, "positions": positions, "next": following}) + "\n")
        for window, count in ((112, 1), (112, 3), (56, 2), (84, 2)):
            grids = [draw() for _ in range(count)]
            out.write(json.dumps({"window": window, "images": grids, **patch_reference(window, grids)}) + "\n")


main()
