"""The reference code's way from a mask to cells of the 16 x 16 grid and their text."""
import numpy
from PIL import Image

N, SHARE = 16, 0.02


def grid_shares(mask):
    rows, columns = (numpy.linspace(0, size, N + 1).astype(int) for size in mask.shape)
    for r in range(N):
        for c in range(N):
            patch = mask[rows[r]:rows[r + 1], columns[c]:columns[c + 1]]
            if patch.size:
                yield [r + 1, c + 1], patch.mean()


def stage1_cells(image):
    """2% of a cell, else any pixel; at the mask's own size."""
    shares = list(grid_shares(numpy.array(image.convert("L")) > 0))
    return [cell for cell, share in shares if share >= SHARE] or [cell for cell, share in shares if share > 0]


def stage3_cells(image):
    """2% of a cell after a resize to 512 x 512."""
    small = image.convert("L").resize((512, 512), Image.Resampling.NEAREST)
    return [cell for cell, share in grid_shares(numpy.array(small) > 0) if share >= SHARE]


def cells_text(cells):
    """Empty for no cell; a target says None there."""
    parts, at = [], 0
    while at < len(cells):
        end = at
        while end + 1 < len(cells) and cells[end + 1] == [cells[at][0], cells[end][1] + 1]:
            end += 1
        (r, first), (_, last) = cells[at], cells[end]
        parts.append(f"({r},{first})" if at == end else f"({r},{first})-({r},{last})")
        at = end + 1
    return " , ".join(parts)
