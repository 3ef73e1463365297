"""Sentence embeddings of the real all-MiniLM-L6-v2."""
import os
import pathlib
import subprocess

import numpy
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers import models as parts

from frame import Case, Unavailable, row
from random_text import WORDS, draw_text

ROOT = pathlib.Path(__file__).resolve().parents[3]


def minilm_folder(context):
    """The model from the folder that JUDO_MINILM names, else from where launch/get-minilm finds it."""
    folder = pathlib.Path(os.environ.get("JUDO_MINILM", context.folder / "minilm"))
    if not folder.exists():
        done = subprocess.run([ROOT / "launch/get-minilm", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(done.stderr.strip())
    return folder


def reference_model(folder):
    """As the hub's folder describes it: 256 tokens, mean over all tokens, length 1."""
    transformer = parts.Transformer(str(folder), max_seq_length=256)
    pooling = parts.Pooling(384, pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling, parts.Normalize()], device="cpu")


def draw_sentence(random):
    """Nothing, words, mixed scripts, or more than fits."""
    kind = random.random()
    if kind < 0.05:
        return random.choice(["", " ", "\n", "\u3000", "[SEP]", "."])
    if kind < 0.15:
        return " ".join(random.choice(WORDS) for _ in range(random.randint(200, 400)))
    if kind < 0.55:
        return " ".join(random.choice(WORDS) for _ in range(random.randint(1, 60)))
    return draw_text(random, most=random.choice([3, 12, 40]))


@row("sentence embeddings, all-MiniLM-L6-v2", "sentence-transformers", bar=1e-5, cases=500, unit="cosine difference")
def sentences(context):
    folder = minilm_folder(context)
    model = reference_model(folder)
    texts = [draw_sentence(context.random) for _ in range(context.cases)]
    expected = model.encode(texts, batch_size=1, show_progress_bar=False).astype(numpy.float64)
    answers = context.filter("judo", "embed", folder, requests=[{"text": text} for text in texts])
    for text, want, answer in zip(texts, expected, answers):
        have = numpy.array(answer["embedding"])
        yield Case(f"{text!a:.80}", 1 - float(want @ have / numpy.linalg.norm(want) / numpy.linalg.norm(have)))


@row("cosines between sentences", "sentence-transformers' similarity", bar=1e-5, cases=500, unit="cosine difference")
def cosines(context):
    """What the domain reward reads: the cosine of two texts, in one batch on the reference's side."""
    folder = minilm_folder(context)
    model = reference_model(folder)
    texts = [draw_sentence(context.random) for _ in range(2 * context.cases)]
    expected = model.encode(texts, batch_size=16, show_progress_bar=False)
    answers = context.filter("judo", "embed", folder, requests=[{"text": text} for text in texts])
    found = numpy.array([answer["embedding"] for answer in answers], dtype=numpy.float32)
    for index in range(0, 2 * context.cases, 2):
        difference = abs(float(expected[index] @ expected[index + 1]) - float(found[index] @ found[index + 1]))
        yield Case(f"{texts[index]!a:.60} and {texts[index + 1]!a:.60}", difference)


def distances(rows, wanted):
    """One minus the cosine, row by row."""
    lengths = numpy.linalg.norm(rows, axis=1) * numpy.linalg.norm(wanted, axis=1)
    return 1 - (rows * wanted).sum(axis=1) / lengths


@row("bf16's distance from fp32: sentence embeddings", "sentence-transformers' own in bf16", bar=1.0, cases=500, unit="ratio")
def bf16(context):
    """The mean cosine distances' ratio: a single text's is partly luck."""
    folder = minilm_folder(context)
    model = reference_model(folder)
    texts = [draw_sentence(context.random) for _ in range(context.cases)]
    wanted = model.encode(texts, batch_size=1, show_progress_bar=False).astype(numpy.float64)
    half = model.to(torch.bfloat16).encode(texts, batch_size=1, show_progress_bar=False, convert_to_tensor=True).double().numpy()
    answers = context.filter("judo", "embed", folder, "--dtype", "bf16", requests=[{"text": text} for text in texts])
    found = numpy.array([answer["embedding"] for answer in answers])
    yield Case("mean over the texts", distances(found, wanted).mean() / distances(half, wanted).mean(), items=len(texts))
