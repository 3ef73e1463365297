"""Probabilities that Hugging Face's logits processors leave, for tests/runtime/ops/test_sampling_golden.c.

Usage: python sampling.py OUTPUT.jsonl   (torch and transformers; the rows are those of tests/parity/rows/sampling.py)

Each line is a request of judo_parity sample, with `probabilities` and `ties`: groups of ids with equal scores, whose
probabilities stand in descending order.
"""
import json
import pathlib
import sys
from types import SimpleNamespace
from random import Random

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
from rows.sampling import KINDS, draw_comparable  # pylint: disable=wrong-import-position

ROWS, MOST_IDS, LEAST = 60, 64, 2.0 ** -20  # rarer ids cannot be told from absent ones by draws


def ties_of(scores):
    groups = {}
    for token, score in enumerate(scores):
        groups.setdefault(score, []).append(token)
    return [tokens for tokens in groups.values() if len(tokens) > 1]


def main():
    context = SimpleNamespace(random=Random(7))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        rows = 0
        while rows < ROWS:
            request, probabilities, scores = draw_comparable(context, KINDS[rows % len(KINDS)])
            if len(scores) > MOST_IDS or any(0 < p < LEAST for p in probabilities):
                continue
            rows += 1
            row = {**request, "ties": ties_of(scores), "probabilities": [float(f"{p:.9g}") for p in probabilities]}
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
