"""How far apart two results are, and which drawn models determine their results well enough to compare.

Some random models magnify rounding without bound: a gradient that is a difference of large numbers, a weight whose gradient is
noise and that Adam moves all the same. There the reference differs from itself: its two kinds of attention (`eager`, `sdpa`)
round in different orders. Such a model can show nothing and another is drawn.
"""
import torch

SHARE = 0.25  # of the bar that the reference's own distance may take


def relative(found, wanted):
    """|found - wanted| / |wanted| in L2; where all of `wanted` is zero, |found|."""
    difference = torch.linalg.vector_norm(found.double() - wanted.double()).item()
    size = torch.linalg.vector_norm(wanted.double()).item()
    return difference / size if size > 0 else difference


def determined(context, draw, run, distance, bar):
    """Gives (small, samples, wanted) for context.cases drawn models. `draw(context, index, folder)` gives the first two,
    `run(small, samples)` the last, twice from the same weights."""
    index = attempts = 0
    while index < context.cases:
        small, samples = draw(context, index, context.folder / f"{run.__name__}{attempts}")
        attempts += 1
        state = {name: weight.clone() for name, weight in small.model.state_dict().items()}
        results = []
        for attention in ("sdpa", "eager"):
            small.model.load_state_dict(state)
            small.model.set_attn_implementation(attention)
            results.append(run(small, samples))
        if distance(*results) <= SHARE * bar:
            index += 1
            yield small, samples, results[1]
        elif attempts > 2 * context.cases + 10:
            raise RuntimeError(f"the reference differs from itself in {attempts - index} of {attempts} models")
