"""Sentence embeddings: 128 texts of about 32 and of about 128 tokens."""
import math
import os
import pathlib
import random
import time

import fixtures
from frame import Race, THREADS, Unavailable

TEXTS = 128


def compare_embeddings(own, other):
    """Cosine of the first text's two embeddings; in bf16 the peer's have a length of only about 1."""
    return f"cosine {sum(a * b for a, b in zip(own, other)) / math.hypot(*own) / math.hypot(*other):.6f}"


def encoder(folder, texts, dtype):
    """SentenceTransformer.encode in batches of 32."""
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(THREADS)
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"torch_dtype": {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]})

    def measure():
        begin = time.perf_counter()
        rows = model.encode(texts, batch_size=32, show_progress_bar=False, normalize_embeddings=True, convert_to_tensor=True)
        return {"embed": time.perf_counter() - begin, "outcome": rows[0].float().tolist()}
    return measure


def races(context):
    folder = pathlib.Path(os.environ.get("JUDO_MINILM", ""))
    if not (folder / "model.safetensors").exists():
        raise Unavailable("JUDO_MINILM names no folder with all-MiniLM-L6-v2 (launch/get-minilm)")
    draw = random.Random(4)
    stock = "the metal nut has a scratch on its upper edge and part of thread is missing while normal surface looks smooth".split()
    for dtype in context.dtypes:
        for length in (32, 128):
            texts = [" ".join(draw.choices(stock, k=length - 2 + draw.randint(-4, 4))) for _ in range(TEXTS)]
            path = fixtures.write_lines(context.folder / "texts.jsonl", [{"text": text} for text in texts])
            yield Race(f"MiniLM, {TEXTS} texts of about {length} tokens", dtype, {"embed": 1},
                       context.serve("embed", folder, path, "--dtype", dtype), {"encode": encoder(folder, texts, dtype)}, compare_embeddings)
