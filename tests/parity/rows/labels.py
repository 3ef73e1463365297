"""Which tokens carry loss in the two supervised stages: the reference code's masks against judo's packed samples."""
import json

import numpy
from PIL import Image

from frame import Case, row
from random_text import draw_text
from reference_cells import cells_text, stage1_cells
from reference_files import qwen_folder, qwen_processor, qwen_tokenizer

COUNT = 40  # samples of each stage in one dataset
TURN, END = "<|im_start|>", "<|im_end|>\n"


def draw_rows(context):
    """Pictures, masks and the JSON lines of both stages, in the reference project's form."""
    random, noise = context.random, numpy.random.default_rng(context.random.getrandbits(32))
    for index in range(4):
        size = random.randint(30, 120), random.randint(30, 120)
        Image.fromarray(noise.integers(0, 256, (*size, 3), dtype=numpy.uint8)).save(context.folder / f"{index}.png")
        mask = numpy.zeros(size, dtype=numpy.uint8)
        mask[size[0] // 3:size[0] // 2, size[1] // 4:size[1] // 2] = 255
        Image.fromarray(mask).save(context.folder / f"mask{index}.png")
    first, second = [], []
    for _ in range(COUNT):
        query, normal = random.randrange(4), random.randrange(4)
        first.append({"item_type": "part", "image_path": f"{query}.png", "normal_image_path": f"{normal}.png",
                      "mask_path": f"mask{query}.png" if random.random() < 0.6 else None, "gt": clean(draw_text(random)) or "A dent."})
        second.append({"image": f"{normal}.png", "problem": clean(draw_text(random)) or "Why?", "solution": clean(draw_text(random)) or "So."})
    for name, rows in (("stage1", first), ("stage2", second)):
        (context.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")
    return first, second


def clean(text):
    """Text that HDF5 strings and both sides' stripping leave alone."""
    return text.strip().replace("\0", "")


def messages_of(text):
    """The conversation behind a rendered text."""
    for turn in text.split(TURN)[1:]:
        role, content = turn.split("\n", 1)
        yield role, content.removesuffix("\n").removesuffix("<|im_end|>")


def reference_labels(processor, messages, images, stage):
    """Ids and labels as the reference's collators make them: stage 1 names the pictures and strips both texts."""
    def render(part, prompt):
        text = processor.apply_chat_template(part, tokenize=False, add_generation_prompt=prompt, add_vision_id=stage == 1)
        return text.strip() if stage == 1 else text
    ids = processor(text=[render(messages, False)], images=images)["input_ids"][0]
    prompt = processor(text=[render(messages[:-1], True)], images=images)["input_ids"][0]
    hidden = {processor.tokenizer.pad_token_id, processor.tokenizer.convert_tokens_to_ids(processor.image_token)}
    return ids, [-100 if index < len(prompt) or token in hidden else token for index, token in enumerate(ids)]


def split_images(user):
    """The user's text as content parts; what stands for the pictures is rendered again."""
    parts = []
    for place, piece in enumerate(user.split("<|vision_start|>")):
        if place:
            parts.append({"type": "image"})
            piece = piece.split("<|vision_end|>", 1)[1]
        parts.append({"type": "text", "text": piece})
    return [part for part in parts if part["type"] == "image" or part["text"]]


@row("SFT labels of stage 1 and 2", "the collators of seg_sft.py and sft.py", bar=0, cases=80, unit="tokens")
def labels(context):
    tokenizer = qwen_tokenizer(context)
    processor, folder = qwen_processor(tokenizer), qwen_folder(context, tokenizer)
    tokenizer.pad_token = "<|endoftext|>"
    done = 0
    while done < context.cases:
        rows = draw_rows(context)
        dataset = context.folder / f"{done}.h5"
        context.run("judo", "pack", dataset, "--model", folder, "--stage1", context.folder / "stage1.jsonl", "--stage2",
                    context.folder / "stage2.jsonl", "--root", context.folder, "--cells", "reference")
        answers = context.filter("judo_parity", "labels", folder, dataset, requests=[{"sample": index} for index in range(2 * COUNT)])
        for index, answer in enumerate(answers):
            stage, line = (1, rows[0][index]) if index < COUNT else (2, rows[1][index - COUNT])
            yield compare(context, processor, answer, stage, line)
        done += 2 * COUNT


def target_of(context, stage, line):
    """What the reference code teaches for a line."""
    if stage == 2:
        return line["solution"]
    cells = stage1_cells(Image.open(context.folder / line["mask_path"])) if line["mask_path"] else []
    return f"<seg> {cells_text(cells) or 'None'} </seg>\n<think> {line['gt']} </think>"


def compare(context, processor, answer, stage, line):
    turns = list(messages_of(processor.tokenizer.decode(answer["tokens"], skip_special_tokens=False)))
    names = [line["image_path"], line["normal_image_path"]] if stage == 1 else [line["image"]]
    images = [Image.open(context.folder / name).convert("RGB") for name in names]
    messages = []
    for role, content in turns:
        if role == "user":
            for number in range(1, len(images) + 1) if stage == 1 else []:
                content = content.replace(f"Picture {number}: <|vision_start|>", "<|vision_start|>", 1)
            content = split_images(content)
        messages.append({"role": role, "content": content})
    normal_form = processor.tokenizer.backend_tokenizer.normalizer.normalize_str
    as_said = messages[-1]["content"] == normal_form(target_of(context, stage, line))
    ids, expected = reference_labels(processor, messages, images, stage)
    found = [-100] * len(ids)
    for place, token, weight in answer["targets"]:
        if place + 1 < len(ids) and weight == 1.0:
            found[place + 1] = token
    wrong = sum(a != b for a, b in zip(found, expected)) + sum(a != b for a, b in zip(answer["tokens"], ids))
    wrong += abs(len(answer["tokens"]) - len(ids)) + (not as_said)
    return Case(f"stage {stage}, {len(ids)} tokens, {line!a:.120}", wrong, items=len(ids))
