"""Writes tests/golden/rewards.jsonl: random completions and what the reference rewards give for them.

The rewards are transcribed here from their description with Python's own re, str and int.
usage: rewards.py OUTPUT [COUNT [SEED]]
"""
import json
import random
import re
import sys

ENGLISH = ["ANSWER", "CORRECT", "CHOOSE", "SELECT", "RIGHT", "THINK", "BELIEVE", "SHOULD"]
CHINESE = ["\u7b54\u6848", "\u9009\u62e9", "\u6b63\u786e", "\u662f", "\u5bf9", "\u8ba4\u4e3a", "\u5e94\u8be5", "\u89c9\u5f97"]


def extract_choice(text, chinese):
    text = re.sub(r"\s+", " ", text)
    if len(text) < 3:
        text = re.sub(r"[^\w\s]", "", text)
        return text[0] if text else None
    hits = re.findall(r"(?<![a-z])([A-D])(?![a-z])", text)
    if len(hits) < 2:
        return hits[0] if hits else None
    scores = dict.fromkeys(hits, 0)
    for hit in hits:
        last = text.rfind(hit)
        near = text[max(0, last - 20):last + 20]
        scores[hit] += sum(word in near for word in ENGLISH + (CHINESE if chinese else []))
        scores[hit] += 2 if last > len(text) * 0.7 else 0
        scores[hit] += 1 if last + 1 < len(text) and text[last + 1] in "\u3002.!\uff01,\uff0c" else 0
    return max(scores, key=scores.get)


def pair(text):
    row, column = text.strip("() ").split(",")
    return int(row), int(column)


def read_cells(completion):
    tag = re.search(r"<seg>(.*?)</seg>", completion)
    if not tag:
        return "missing", set()
    cells = set()
    payload = tag.group(1).strip()
    if payload.lower() == "none":
        return "read", cells
    for token in re.split(r",(?![^\(]*\))", payload):
        token = token.strip()
        if not token:
            continue
        try:
            first, last = map(pair, token.split("-")) if "-" in token else (pair(token), pair(token))
        except ValueError:
            return "malformed", set()
        if first[0] != last[0] or first[1] > last[1] or not all(1 <= x <= 16 for x in first + last):
            return "malformed", set()
        cells |= {(first[0], column) for column in range(first[1], last[1] + 1)}
    return "read", cells


def agreement(think, answer, gold):
    if think is None:
        return 0.0 if answer is None else 0.8 if answer == gold else 0.05
    if think == answer:
        return 1.0 if think == gold else 0.1
    return 0.0


def segmentation(state, cells, gold):
    if state == "malformed" or bool(cells) != bool(gold):
        return 0.0
    if not gold:
        return 1.0
    common = len(cells & gold)
    if common == 0:
        return 0.2
    precision, recall = common / len(cells), common / len(gold)
    return 0.2 + 0.8 * (2 * (precision * recall) / (precision + recall))


def conclusions(completion, chinese):
    thinks = re.findall(r"<think>(.*?)</think>", completion, re.S)
    answers = re.findall(r"<answer>(.*?)</answer>", completion, re.S)
    think = thinks[-1].strip() if thinks else None
    return (think, extract_choice(think, chinese) if think else None,
            extract_choice(answers[-1].strip(), chinese) if answers else None)


def evaluate(completion, gold, gold_cells):
    think, think_choice, answer = conclusions(completion, False)
    if think and re.match(r"^\s*[A-D][\s.:]", think):
        structure = 0.0
    else:
        structure = agreement(think_choice, answer, gold)
        if think and re.search(r"\b([A-D])\b|([A-D])[\s.:]", think[:len(think) // 2]):
            structure = min(structure, 0.2)
    state, cells = read_cells(completion)
    tags = [r"<seg>(.*?)</seg>", r"<think>(.*?)</think>", r"<answer>(.*?)</answer>"]
    _, other_think, other_answer = conclusions(completion, True)
    joined = re.search(r"\s*".join(tags[1:]), completion, re.S)
    return {
        "think": think, "think_choice": think_choice, "answer_choice": answer, "state": state,
        "cells": sorted(cells), "choice": float(answer == gold), "structure": structure,
        "format": 0.2 if re.search(".*?".join(tags), completion, re.S) else 0.0,
        "segmentation": segmentation(state, cells, gold_cells),
        "adjacent": bool(re.search(r"\s*".join(tags), completion, re.S)),
        "other_choice": float(bool(joined) and other_answer == gold),
        "other_structure": agreement(other_think, other_answer, gold) if joined else 0.0,
    }


WORDS = ("A B C D A. B, C: D! a b e (A) The answer is B. ANSWER RIGHT THINK I think A scratch on the PCB shows "
         "x BAD \u9009A \u7b54\u6848\u662fB \u3002 A\uff0c D\u3002 caf\u00e9 \u00e9A A\u00e9 A_ 1B \u00a0 \t \n \u2003 \u0661 . , ! ? - _ is not query defect").split(" ")
PIECES = ["<seg>", "</seg>", "<think>", "</think>", "<answer>", "</answer>", "\n", " ", "junk"]
NUMBERS = [str(i) for i in range(1, 17)] + ["0", "17", "01", "+2", " 3", "1_0", "1__0", "_1", "\uff13", "\u0664", "1.0", "", "x"]


def number(rng):
    return rng.choice(NUMBERS[:16]) if rng.random() < 0.93 else rng.choice(NUMBERS)


def cell(rng, row=None, column=None):
    return "(%s,%s)" % (row or number(rng), column or number(rng))


def cells_text(rng):
    if rng.random() < 0.15:
        return rng.choice(["None", "none", " NONE ", "", " ", "None.", "No anomaly", "\u00a0None"])
    tokens = []
    for _ in range(rng.randint(1, 5)):
        row = rng.randint(1, 16)
        token = cell(rng, row)
        if rng.random() < 0.4:
            start = rng.randint(1, 14)
            token = cell(rng, row, start) + "-" + cell(rng, row, start + rng.randint(0, 2))
        if rng.random() < 0.06:
            at = rng.randrange(len(token) + 1)
            token = token[:at] + rng.choice(list("() ,-x\t\u2013\u3000")) + token[at + rng.randint(0, 1):]
        tokens.append(token)
    text = rng.choice([", ", ", ", " , ", ","]).join(tokens)
    return text + rng.choice([""] * 12 + [",", "\n", " ,", ")"])


def words(rng, most):
    return rng.choice([" ", " ", " ", ""]).join(rng.choice(WORDS) for _ in range(rng.randint(0, most)))


def completion(rng):
    if rng.random() < 0.1:
        return "".join(rng.choice(PIECES + WORDS) for _ in range(rng.randint(0, 25)))
    parts = []
    if rng.random() < 0.95:
        parts.append("<seg>" + cells_text(rng) + "</seg>")
    if rng.random() < 0.95:
        parts.append("<think>" + words(rng, 14) + "</think>")
    if rng.random() < 0.95:
        parts.append("<answer>" + (rng.choice("ABCD") if rng.random() < 0.6 else words(rng, 3)) + "</answer>")
    if rng.random() < 0.1:
        rng.shuffle(parts)
    if rng.random() < 0.1 and parts:
        parts.append(rng.choice(parts))
    if rng.random() < 0.1:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(PIECES + WORDS))
    return rng.choice(["", "\n", "\n", " "]).join(parts)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for _ in range(count):
            text, gold = completion(rng), rng.choice("ABCD")
            answer = conclusions(text, False)[2]
            gold = answer if answer and answer in "ABCD" and rng.random() < 0.6 else gold
            state, cells = read_cells(text)
            mode = rng.random()
            gold_cells = set() if mode < 0.3 else set(cells) if mode < 0.5 else {
                (rng.randint(1, 16), rng.randint(1, 16)) for _ in range(8)} | set(list(sorted(cells))[:2])
            row = {"completion": text, "gold": gold, "gold_cells": sorted(gold_cells)}
            row.update(evaluate(text, gold, gold_cells))
            out.write(json.dumps(row, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
