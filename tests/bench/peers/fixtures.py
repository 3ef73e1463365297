"""Models and data that both sides load: made once per run, in the run's scratch folder, and the same in every run."""
import json
import random
import re
import shutil

from PIL import Image

SIDE = 224  # of the drawn pictures: a multiple of 28, so that no side resizes them
SAMPLES = 8
# Qwen2.5-VL's, for pictures and text.
CHAT_TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\n' -}}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}{%- else -%}{{- part['text'] -}}{%- endif -%}
{%- endfor -%}
{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"""


def words(count=6000, seed=5):
    """Made-up words: a language in which a tokenizer of some thousand tokens can be learnt."""
    draw = random.Random(seed)
    syllables = [a + b + c for a in "bcdfghklmnprstvz" for b in "aeiou" for c in ("", "n", "r", "l", "s")]
    return ["".join(draw.choices(syllables, k=draw.choice((1, 2, 2, 3)))) for _ in range(count)]


def text(length, draw):
    """`length` words that common words dominate."""
    stock = words()
    return " ".join(stock[min(int(draw.expovariate(1 / 600)), len(stock) - 1)] for _ in range(length))


def drawn_data(context):
    """Pictures and questions of `judo synth`."""
    folder = context.folder / "data"
    if not folder.exists():
        context.run("judo", "synth", folder, "--seed", 1, "--size", SIDE, "--train", 4, "--heldout", 1, "--normals", 2, "--pretrain", 0)
    return folder


def small_vlm(context):
    """A Qwen2.5-VL of about 15 million parameters with a tokenizer of its own; random weights."""
    folder = context.folder / "small"
    if not folder.exists():
        data, lines = drawn_data(context), context.folder / "words.jsonl"
        draw = random.Random(7)
        lines.write_text("".join(json.dumps({"text": text(200, draw)}) + "\n" for _ in range(200)), encoding="utf-8")
        context.run("judo", "init", folder, lines, *sorted(data.glob("stage*.jsonl")), "--vocab", 6000, "--hidden", 384, "--layers", 6,
                    "--heads", 6, "--kv-heads", 2, "--ffn", 1024, "--vision-hidden", 192, "--vision-depth", 4, "--vision-heads", 4,
                    "--vision-ffn", 512)
    return folder


def packed(context, stage):
    """The first samples of a stage: dataset file and the rows that it was made of."""
    data, path = drawn_data(context), context.folder / f"stage{stage}.h5"
    if not path.exists():
        context.run("judo", "pack", path, "--model", small_vlm(context), "--root", data, f"--stage{stage}", data / f"stage{stage}.jsonl",
                    "--limit", SAMPLES)
    rows = [json.loads(line) for line in (data / f"stage{stage}.jsonl").read_text(encoding="utf-8").splitlines()[:SAMPLES]]
    return path, rows


def sequences(context, stage, with_target):
    """What a stage makes of its samples: tokens, first target, pictures with their places."""
    path, rows = packed(context, stage)
    ask = context.serve("samples", small_vlm(context), path, *(["--with-target"] if with_target else []))
    found = []
    for index, row in enumerate(rows):
        found.append(ask(sample=index))
        found[-1]["images"] = [str(drawn_data(context) / row[key]) for key in ("image", "template_image", "normal_image") if row.get(key)]
    context.close()
    return found


def write_lines(path, rows):
    """A file of JSON lines; gives its path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def gpt2_size(context):
    """A text decoder of GPT-2's size (12 x 768, 124 million parameters) in a Qwen2.5-VL with a token of a vision tower."""
    folder = context.folder / "gpt2_size"
    if not folder.exists():
        import torch
        from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
        config = json.loads((small_vlm(context) / "config.json").read_text(encoding="utf-8"))
        config.update(hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=12,
                      vocab_size=50257, max_window_layers=12, rope_theta=10000.0, initializer_range=0.02)
        config["rope_scaling"]["mrope_section"] = [8, 12, 12]
        config["vision_config"].update(depth=1, hidden_size=32, num_heads=1, intermediate_size=64, out_hidden_size=768,
                                       fullatt_block_indexes=[0])
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        shutil.copy(small_vlm(context) / "preprocessor_config.json", folder)
        torch.manual_seed(3)
        model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_pretrained(folder))
        model.save_pretrained(folder / "saved")
        shutil.copy(folder / "saved" / "model.safetensors", folder)
        shutil.rmtree(folder / "saved")
    return folder


def pictures(context, side, count):
    """Noisy gradients of side x side as PNG files."""
    import numpy
    folder = context.folder / f"pictures{side}"
    if not folder.exists():
        folder.mkdir()
        draw = numpy.random.default_rng(side)
        slope = numpy.linspace(0, 160, side)[:, None, None] + numpy.linspace(0, 60, side)[None, :, None]
        for index in range(count):
            noise = draw.integers(0, 36, (side, side, 3))
            Image.fromarray((slope + noise).astype("uint8")).save(folder / f"{index}.png", compress_level=1)
    return sorted(folder.glob("*.png"))


def chat(tokens, tokenizer):
    """The messages of a prompt, read back from its tokens."""
    found = re.fullmatch(r"<\|im_start\|>system\n(.*?)<\|im_end\|>\n<\|im_start\|>user\n"
                         r"((?:<\|vision_start\|>(?:<\|image_pad\|>)+<\|vision_end\|>)*)(.*?)<\|im_end\|>\n<\|im_start\|>assistant\n",
                         tokenizer.decode(tokens), re.DOTALL)
    images = found[2].count("<|vision_start|>")
    return [{"role": "system", "content": [{"type": "text", "text": found[1]}]},
            {"role": "user", "content": [{"type": "image"}] * images + [{"type": "text", "text": found[3]}]}]
