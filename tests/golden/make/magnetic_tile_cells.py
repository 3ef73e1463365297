"""Writes tests/golden/magnetic_tile_cells.inc: python magnetic_tile_cells.py FOLDER OUT.

Counts the cells of each mask under the paper's rule (any pixel) and the reference code's (2 %).
"""
import pathlib
import sys

import numpy as np
from PIL import Image

with open(sys.argv[2], "w") as out:
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.png")):
        mask = np.asarray(Image.open(path).convert("L")) > 0
        rows, columns = (np.linspace(0, n, 17).astype(int) for n in mask.shape)
        share = np.array([[mask[rows[i]:rows[i + 1], columns[j]:columns[j + 1]].mean()
                           for j in range(16)] for i in range(16)])
        covered = (share >= 0.02).sum()
        out.write(f'{{"{path.name}", {(share > 0).sum()}, {covered or (share > 0).sum()}}},\n')
