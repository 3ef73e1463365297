"""Writes texts of odd code points and their ids by Hugging Face tokenizers: python tokens_unicode.py GOLDEN_FOLDER.

GOLDEN_FOLDER holds tokenizer_small/tokenizer.json; gets tokens_unicode.jsonl with "text", "bpe" (that tokenizer's ids) and
"wordpiece" (BERT's uncased procedure over wordpiece_small.txt, which is written, too). Needs tokenizers 0.23.
"""
import json
import pathlib
import random
import string
import sys

from tokenizers import BertWordPieceTokenizer, Tokenizer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "parity"))
from random_text import draw_text  # pylint: disable=wrong-import-position

# Points that libraries of other Unicode versions class otherwise, and their neighbours.
ODD = [0x61C, 0x61D, 0x7FD, 0x890, 0x898, 0x8D3, 0x8D4, 0x8E2, 0x9FE, 0xC3C, 0x166D, 0x1715, 0x1734, 0x180E, 0x1885, 0x1ABF, 0x1C89, 0x1DF6,
       0x2E43, 0xA7CB, 0xA7DA, 0xFFFD, 0x105C0, 0x10D40, 0x10D4A, 0x10EC2, 0x10EFD, 0x110CD, 0x111C9, 0x11930, 0x11935, 0x11938, 0x1193D, 0x11F50,
       0x13460, 0x16D70, 0x1CCF0, 0x1D2C0, 0x1D2D3, 0x1DF25, 0x1E4EC, 0x1E5F1, 0x2EBF0, 0x31350, 0xE0001, 0xF0000]
FRAMES = ["x%sy", " %s1", "a\u0334%s\u0323\u0301b", "%s%s\n\n %s", "\n%sb", "\U00011935%s"]
PLAIN = string.ascii_lowercase + string.digits + string.punctuation
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def main():
    folder = pathlib.Path(sys.argv[1])
    vocabulary = SPECIALS + list(PLAIN) + ["##" + letter for letter in string.ascii_lowercase + string.digits] + ["the", "##ing", "\u4e2d", "\u00df"]
    (folder / "wordpiece_small.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    bpe = Tokenizer.from_file(str(folder / "tokenizer_small/tokenizer.json"))
    wordpiece = BertWordPieceTokenizer(str(folder / "wordpiece_small.txt"), lowercase=True)
    rng = random.Random(16)
    texts = [frame.replace("%s", chr(point)) for point in ODD for frame in FRAMES]
    texts += [draw_text(rng, ["<|im_end|>", "<tool_call>", "[SEP]", "[MASK]"], 8) for _ in range(120)]
    with open(folder / "tokens_unicode.jsonl", "w", encoding="utf-8") as out:
        for text in texts:
            out.write(json.dumps({"text": text, "bpe": bpe.encode(text).ids, "wordpiece": wordpiece.encode(text).ids}) + "\n")


main()
