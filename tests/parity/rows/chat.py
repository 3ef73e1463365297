"""Conversations through the chat template, the tokens of images in their places."""
import numpy
from PIL import Image

from frame import Case, row
from random_text import draw_text
from reference_files import qwen_folder, qwen_processor, qwen_tokenizer


def save_pictures(context):
    """A few small pictures of different grids; the ids depend on their sizes only."""
    noise = numpy.random.default_rng(context.seed)
    for index, (width, height) in enumerate([(30, 30), (200, 90), (61, 333), (9, 200), (128, 128)]):
        path = context.folder / f"{index}.png"
        Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=numpy.uint8)).save(path)
        yield path


def draw_content(random, pictures, room):
    """A text, or a list of texts and images in any order."""
    if random.random() < 0.3:
        return draw_text(random)
    parts = []
    for _ in range(random.randint(0, 5)):
        if room > 0 and random.random() < 0.4:
            parts.append({"type": "image", "image": str(random.choice(pictures))})
            room -= 1
        else:
            parts.append({"type": "text", "text": draw_text(random)})
    return parts


def draw_messages(random, pictures):
    messages = []
    if random.random() < 0.5:
        messages.append({"role": "system", "content": draw_content(random, [], 0)})
    with_images = random.random() < 0.8
    for turn in range(random.randint(1, 4)):
        role = "user" if turn % 2 == 0 else "assistant"
        messages.append({"role": role, "content": draw_content(random, pictures, 3 if with_images and role == "user" else 0)})
    return messages


def images_of(messages):
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    return [Image.open(part["image"]).convert("RGB") for part in parts if part["type"] == "image"]


@row("chat template and image expansion", "Qwen2_5_VLProcessor.apply_chat_template, then the processor", bar=0, cases=300, unit="ids")
def chat(context):
    tokenizer = qwen_tokenizer(context)
    processor, folder, pictures = qwen_processor(tokenizer), qwen_folder(context, tokenizer), list(save_pictures(context))
    requests = [{"messages": draw_messages(context.random, pictures), "add_vision_id": context.random.random() < 0.5,
                 "add_generation_prompt": context.random.random() < 0.7} for _ in range(context.cases)]
    answers = context.filter("judo", "tokenize", folder, requests=requests)
    for request, answer in zip(requests, answers):
        text = processor.apply_chat_template(request["messages"], tokenize=False, add_vision_id=request["add_vision_id"],
                                             add_generation_prompt=request["add_generation_prompt"])
        images = images_of(request["messages"])
        expected = processor(text=[text], images=images or None)["input_ids"][0]
        name = f"{len(request['messages'])} messages, {len(images)} images" + (", vision ids" if request["add_vision_id"] else "")
        found = answer["tokens"]
        wrong = abs(len(found) - len(expected)) + sum(a != b for a, b in zip(found, expected))
        yield Case(name, wrong, items=len(expected))


@row("chat template's text", "Qwen2_5_VLProcessor.apply_chat_template", bar=0, cases=200, unit="texts")
def chat_text(context):
    """The text behind the ids; each image is one run of <|image_pad|>."""
    tokenizer = qwen_tokenizer(context)
    processor, folder, pictures = qwen_processor(tokenizer), qwen_folder(context, tokenizer), list(save_pictures(context))[:1]
    requests = [{"messages": draw_messages(context.random, pictures), "add_vision_id": context.random.random() < 0.5}
                for _ in range(context.cases)]
    ids = context.filter("judo", "tokenize", folder, requests=requests)
    texts = context.filter("judo", "tokenize", folder, requests=ids)
    for request, found in zip(requests, texts):
        expected = processor.apply_chat_template(request["messages"], tokenize=False, add_vision_id=request["add_vision_id"],
                                                 add_generation_prompt=True)
        pads = "<|image_pad|>" * 4  # a picture of 30 x 30 becomes 56 x 56
        expected = tokenizer.backend_tokenizer.normalizer.normalize_str(expected).replace("<|image_pad|>", pads)
        yield Case(f"{len(request['messages'])} messages", int(found["text"] != expected))
