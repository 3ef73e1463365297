"""Makes tests/golden/tokenizer_small: a small byte-level BPE trained by Hugging Face tokenizers in
Qwen2.5's layout, texts with the ids that it gives them, and a conversation rendered by its chat
template. Usage: make_tokenizer_small.py OUTPUT_FOLDER  (tokenizers 0.23)"""
import json
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIALS = ["endoftext", "im_start", "im_end", "object_ref_start", "object_ref_end", "box_start",
            "box_end", "quad_start", "quad_end", "vision_start", "vision_end", "vision_pad",
            "image_pad", "video_pad"]
PLAIN = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
         "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]

CORPUS = [
    "The query shows a scratch on the metal surface, the normal template does not.",
    "There is a dark stain near the edge of the tile; the template is clean and uniform.",
    "Is there any defect in the object? What is the type of the defect? Where is the defect?",
    "<seg> (3,7)-(3,8) , (4,7) </seg>\n<think> The anomaly is a crack. </think>\n<answer>A</answer>",
    "<seg> None </seg>\n<think> No difference. </think>\n<answer>B</answer>",
    "A. Yes.\nB. No.\nC. It's broken.\nD. They're contaminated, I'll say.",
    "Une rayure était visible à la surface; die Oberfläche ist gleichmäßig.",
    "表面有划痕。 Дефект на поверхности.",
] * 3

TEXTS = [
    "", " ", "a", "The scratch on the metal surface.", "Is there any defect in the object?",
    "<seg> (3,7)-(3,8) </seg>\n<think> It's a crack. </think>\n<answer>A</answer>",
    "don't DON'T we'Ll 'S x'\u017f", "1234567890 3.14 \u0663\u216b\u00bd", "a\r\nb\r\n\r\n c\n \n d  \n",
    "tabs\t\tand   spaces   ", "   \n\n  x", "\u00e9 e\u0301 \u1e69 s\u0323\u0307 s\u0307\u0323 \u212b \uac00 \u1100\u1161\u11a8",
    "\uac00\u11a7", "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\u4e2d\u6587 \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0939\u093f\u0928\u094d\u0926\u0940",
    "nbsp\u00a0ideographic\u3000mongolian\u180eline\u2028nel\u0085zero\u200b.", "x\x00y\x01",
    "<|im_start|>user\nHi<|im_end|>\n<|endoftext|>", "<tool_call>{}</tool_call>", "<|im_start|<|im_end|>>",
    "<|vision_start|><|image_pad|><|image_pad|><|vision_end|>", ">\u0338 <|im_end|>\u0338",
    "z" * 300, " " * 200 + "y", "\n" * 100, "ab" * 150, "!?" * 90 + "\n\n",
]


def build():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False,
                                                    use_regex=False)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=500, min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_special_tokens([AddedToken(f"<|{s}|>", normalized=False) for s in SPECIALS])
    tokenizer.add_tokens([AddedToken(s, normalized=False, special=False) for s in PLAIN])
    return tokenizer


def random_texts(count):
    rng = random.Random(7)
    pools = [(0x20, 0x7f), (0x00, 0x250), (0x300, 0x340), (0x370, 0x600), (0x2000, 0x2100),
             (0x3040, 0x3100), (0x4e00, 0x5000), (0xac00, 0xb000), (0x1f600, 0x1f640)]
    for _ in range(count):
        chosen = rng.sample(pools, rng.choice([1, 2, 4]))
        yield "".join(chr(rng.randrange(*rng.choice(chosen))) for _ in range(rng.randrange(1, 40)))


def main(folder):
    tokenizer = build()
    with open(f"{folder}/tokenizer.json", "w", encoding="utf-8") as out:
        json.dump(json.loads(tokenizer.to_str()), out, ensure_ascii=False, separators=(",", ":"))
    with open(f"{folder}/vectors.jsonl", "w", encoding="utf-8") as out:
        for text in TEXTS + list(random_texts(60)):
            row = {"bytes": list(text.encode()), "ids": tokenizer.encode(text).ids}
            out.write(json.dumps(row, separators=(",", ":")) + "\n")
    with open(f"{folder}/corpus.txt", "w", encoding="utf-8") as out:
        out.write("\n<<>>\n".join(CORPUS))


if __name__ == "__main__":
    main(sys.argv[1])
