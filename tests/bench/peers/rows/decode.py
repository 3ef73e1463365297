"""Greedy decoding: tokens after a prompt of 64, alone and as a batch of 32."""
import random
import time

import fixtures
from frame import Race

CASES = [("small", 1, 128, 3), ("small", 32, 128, 3), ("124 M", 1, 128, 3), ("124 M", 32, 128, 3)]  # model, rows, new tokens, goal


def compare_tokens(own, other):
    """Share of equal tokens; near-ties of random weights may part the two."""
    return f"{100 * sum(a == b for a, b in zip(own, other)) / len(other):.0f} % of the tokens equal"


def generator(model, prompts, new_tokens):
    """Transformers' generate with its defaults, without a stop token."""
    import torch
    ids = torch.tensor(prompts)

    def measure():
        begin = time.perf_counter()
        with torch.no_grad():
            out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new_tokens,
                                 min_new_tokens=new_tokens, pad_token_id=0, use_cache=True)
        return {"decode": time.perf_counter() - begin, "outcome": out[:, ids.shape[1]:].flatten().tolist()}
    return measure


def races(context):
    import torch_side
    draw = random.Random(2)
    for dtype in context.dtypes:
        for size, rows, new_tokens, goal in CASES:
            folder = fixtures.small_vlm(context) if size == "small" else fixtures.gpt2_size(context)
            prompts = [[draw.randrange(256, 1000) for _ in range(64)] for _ in range(rows)]
            path = fixtures.write_lines(context.folder / "prompts.jsonl", [{"tokens": prompt} for prompt in prompts])
            model = torch_side.load(folder, torch_side.DTYPES[dtype]).eval()
            yield Race(f"{size}, {rows} rows, {new_tokens} new tokens", dtype, {"decode": goal},
                       context.serve("generate", folder, path, "--new-tokens", new_tokens, "--dtype", dtype),
                       {"generate": generator(model, prompts, new_tokens)}, compare_tokens, repeat=3)
