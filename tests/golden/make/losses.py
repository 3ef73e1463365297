"""Writes tests/golden/losses.jsonl: small updates, rewards and supervised steps with what TRL and Transformers make of them.

usage: losses.py OUTPUT [SEED]
The frozen counterpart of tests/parity/rows/losses.py, whose cases it draws.
"""
import json
import math
import pathlib
import random
import sys

import torch
from transformers.loss.loss_utils import ForCausalLMLoss

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
import policy_cases  # pylint: disable=wrong-import-position
import trl_grpo  # pylint: disable=wrong-import-position

UPDATES, STRIDE = 40, 7  # a third of all combinations, spread over all


def short(value):
    """Nine digits hold a float; lists elementwise."""
    if isinstance(value, dict):
        return {key: short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [short(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def updates(source):
    for place in range(UPDATES):
        case = policy_cases.draw(source, place * STRIDE, most_tokens=4, vocabulary=4, groups=1, grid=64)
        trainer, inputs = policy_cases.score(case)
        answer = policy_cases.reference(case, trainer, inputs)
        if not all(policy_cases.kept(case)):  # TRL counts masked completions among the extremes
            del answer["low_min"], answer["high_max"]
        yield "policy_loss", policy_cases.request(case, inputs), answer


def rewards():
    groups = {"spread": [0.0, 0.2, 1.2, 3.3, 1.0, 1.0, 2.5, 0.1], "equal": [0.1] * 4 + [1.0, 0.0, 0.0, 1.0],
              "holes": [math.nan, 1.0, 0.5, math.nan, math.nan, math.nan, math.nan, 2.0]}
    for scale in ("group", "batch", "none"):
        for values in groups.values():
            request = {"rewards": [None if math.isnan(value) else value for value in values], "group_size": 4, "scale": scale}
            yield "advantages", request, {"advantages": trl_grpo.advantages(values, 4, scale).tolist()}


def supervised(source):
    for by_sample in (False, True):
        lengths = [3, 1, 2]
        logits = [[round(source.gauss(0, 1.5), 2) for _ in range(5)] for _ in range(sum(lengths))]
        targets = [source.randrange(5) for _ in logits]
        free = torch.tensor(logits, requires_grad=True)
        split = zip(free.split(lengths), torch.tensor(targets).split(lengths))
        if by_sample:
            loss = torch.stack([ForCausalLMLoss(rows, None, 5, shift_labels=wanted) for rows, wanted in split]).mean()
        else:
            loss = ForCausalLMLoss(free, None, 5, num_items_in_batch=len(targets), shift_labels=torch.tensor(targets))
        loss.backward()
        request = {"by_sample": by_sample, "lengths": lengths, "logits": logits, "targets": targets}
        yield "sft_loss", request, {"loss": loss.item(), "logit_gradient": free.grad.flatten().tolist()}


def main():
    source = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    with open(sys.argv[1], "w", encoding="utf-8") as output:
        for command, request, answer in (*updates(source), *rewards(), *supervised(source)):
            line = {"command": command, "request": short(request), "answer": short(answer)}
            output.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
