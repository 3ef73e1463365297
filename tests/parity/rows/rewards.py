"""Rewards of completions, as the public code computes them: transcribed in tests/golden/make/rewards.py."""
import pathlib
import re
import sys

from frame import Case, row

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "golden/make"))
import rewards as reference  # pylint: disable=wrong-import-position

BATCH = 500
TAGS = ["<seg>", "</seg>", "<think>", "</think>", "<answer>", "</answer>"]
DIGITS = ["0", "17", "-1", "99999999999999999999", "016", "+3", "\uff13", "\u0663", "1_6", "\u00b2", "1.0", "0x3", " 4", "\u20074", "4\u3000"]
SAMPLES = [
    "<seg>(3,7)-(3,8), (4,7)</seg>\n<think>The query shows a scratch near the rim. So the answer is B.</think>\n<answer>B</answer>",
    "<seg> None </seg>\n<think>Both images match in texture and shape; the correct choice is A.</think>\n<answer>A</answer>",
    "<seg>(1,1) , (2,1)-(2,16) , (16,16)</seg><think>A dent. I THINK it should be C, not D.</think><answer>C: dent</answer>",
    "<think>B. It is broken.</think><answer>The answer is (B)</answer>",
]


def mutate(random, text):
    """Tags lost, doubled, nested or turned round; numbers out of range; ranges reversed; odd digits, dashes and spaces."""
    for _ in range(random.choice([0, 1, 1, 2, 3, 5])):
        kind = random.randrange(10)
        at = random.randrange(len(text) + 1)
        tag = random.choice(TAGS)
        if kind == 0:
            text = text.replace(tag, "", 1)
        elif kind == 1:
            text = text[:at] + tag + text[at:]
        elif kind == 2:
            text = text.replace(tag, tag + tag, 1)
        elif kind == 3:
            text = text.replace(tag, random.choice(TAGS), 1)
        elif kind == 4:
            text = re.sub(r"\d+", lambda _: random.choice(DIGITS), text, count=1)
        elif kind == 5:
            text = re.sub(r"\((\d+),(\d+)\)-\((\d+),(\d+)\)", r"(\3,\4)-(\1,\2)", text, count=1)
        elif kind == 6:
            text = text[:at] + random.choice(["\n", "\r\n", " ", "\u00a0", "\u3000", "\u2028", "\x1c", "\x85", "\u200b", "\t"]) + text[at:]
        elif kind == 7:
            text = text.replace("-", random.choice(["\u2013", "--", " - ", "\u2010"]), 1)
        elif kind == 8:
            text = text[:at] + random.choice(["A", "B ", "C.", "D\uff0c", "\u7b54\u6848", "ANSWER", "\u00e9", "(", ")", ",", "\U0001F600", "b"]) + text[at:]
        else:
            text = text[:at] + text[min(len(text), at + random.randint(1, 9)):]
    return text


def draw_case(random):
    completion = mutate(random, random.choice(SAMPLES)) if random.random() < 0.6 else mutate(random, reference.completion(random))
    gold = random.choice("ABCD")
    cells = set() if random.random() < 0.3 else {(random.randint(1, 16), random.randint(1, 16)) for _ in range(random.randint(1, 9))}
    _, predicted = reference.read_cells(completion)
    if predicted and random.random() < 0.5:
        cells = set(random.sample(sorted(predicted), random.randint(1, len(predicted)))) | set(list(cells)[:2])
    return completion, gold, cells


def domain(value, cosine):
    """0.1 * cosine behind the three tags in order with nothing but white space between."""
    return 0.1 * cosine if value["adjacent"] else 0.0


@row("rewards as coded", "spec 1.2-1.3 in Python's re, str and int", bar=0, cases=20000, unit="values")
def rewards(context):
    """Five rewards, both letters and the cells of each completion; the preset of AnomalyR1 on every second batch."""
    for start in range(0, context.cases, BATCH):
        cases = [draw_case(context.random) for _ in range(BATCH)]
        other = start // BATCH % 2 == 1
        # a cosine that 32 bits hold, so that both sides scale the same number
        cosines = [context.random.randint(-64, 64) / 64 for _ in cases]
        requests = [{"completion": text, "answer": gold, "cosine": cosine,
                     "cells": ", ".join(f"({r},{c})" for r, c in sorted(cells)) or "None"} for (text, gold, cells), cosine in zip(cases, cosines)]
        answers = context.filter("judo", "reward", "--definition", "reference", "--preset", "anomalyr1" if other else "judo", requests=requests)
        for (text, gold, cells), cosine, answer in zip(cases, cosines, answers):
            value = reference.evaluate(text, gold, cells)
            found = answer["rewards"]
            if other:
                pairs = [(found["choice"], value["other_choice"]), (found["structure"], value["other_structure"])]
            else:
                listed = ", ".join(f"({r},{c})" for r, c in value["cells"])
                pairs = [(found[name], value[name]) for name in ("choice", "format", "structure", "segmentation")]
                pairs += [(found["domain"], domain(value, cosine)), (answer["cells_state"], value["state"])]
                pairs += [(expand(answer["cells"]), listed), (answer["predicted_answer"], letter(value["answer_choice"]))]
                pairs += [(answer["think_answer"], letter(value["think_choice"]))]
            wrong = [pair for pair in pairs if pair[0] != pair[1]]
            yield Case(f"{text!a:.200}: {wrong}" if wrong else "completion", len(wrong), items=len(pairs))


def letter(choice):
    """judo prints a choice beyond ASCII as '?'."""
    return choice if choice is None or ord(choice) < 0x80 else "?"


def expand(text):
    """judo's list of cells, ranges written out."""
    cells = []
    for row_of, first, last in re.findall(r"\((\d+),(\d+)\)(?:-\(\d+,(\d+)\))?", text):
        cells += [f"({row_of},{column})" for column in range(int(first), int(last or first) + 1)]
    return ", ".join(cells)
