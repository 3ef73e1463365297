"""Writes tests/golden/answers.jsonl: completions, options, and the letters that JUDO's and MMAD's
evaluation read from them, transcribed with Python's own re and difflib.

usage: answers.py OUTPUT [COUNT [SEED]]
"""
import difflib
import json
import random
import re
import sys

WORDS = ("A B C D E (A) A. <answer>B</answer> <answer> C </answer> The scratch is on the left side of bottle "
         "yes no good \u9009A caf\u00e9 bent wire missing part is broken at top right corner <think> </think>").split(" ")
PLAIN = [word for word in WORDS if not re.search(r"[A-E]", word)]


def judo(text):
    tag = re.search(r"<answer>([A-D])</answer>", text)
    match = tag or re.search(r"\b([A-D])\b", text)
    return match.group(1) if match else None


def mmad(text, options):
    letters = re.findall(r"\b([A-E])\b", text)
    if letters:
        return letters[-1]
    close = difflib.get_close_matches(text, options, n=1, cutoff=0.0)
    return "ABCDE"[options.index(close[0])]


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 80
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for _ in range(count):
            pool = PLAIN if rng.random() < 0.6 else WORDS
            text = " ".join(rng.choice(pool) for _ in range(rng.choice([0, 1, 4, 12, 60, 90])))
            options = [" ".join(rng.choice(PLAIN) for _ in range(rng.randint(1, 5))) + "." for _ in range(4)]
            ratio = difflib.SequenceMatcher(None, options[0], text).ratio()
            out.write(json.dumps({"completion": text, "options": options, "ratio": ratio,
                                  "judo": judo(text), "mmad": mmad(text, options)}) + "\n")


main()
