"""Sequences with pictures: drawn, written for judo_parity, and as inputs of Transformers."""
from dataclasses import dataclass, replace

import numpy
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


@dataclass
class Sample:
    tokens: list  # ids, placeholders expanded
    first_target: int
    weight: float
    starts: list  # of each picture's placeholders
    images: list  # [height, width, 3] bytes, of the size that the model sees


def draw_text(small, random, length):
    """Any ids but those that stand for pictures."""
    config = small.config
    barred = {config["image_token_id"], config["video_token_id"], config["vision_start_token_id"]}
    return random.choices([i for i in range(config["vocab_size"]) if i not in barred], k=length)


def draw_image(small, random, most_cells):
    rows = random.randint(1, most_cells)
    columns = random.randint(1, max(1, most_cells // rows))
    noise = numpy.random.default_rng(random.getrandbits(40))
    return noise.integers(0, 256, (rows * small.cell, columns * small.cell, 3), dtype=numpy.uint8)


def draw_sample(small, random, num_images, most_cells=60, length=40):
    """Text, then each picture between its markers and some more text; the last part is to be predicted."""
    config = small.config
    tokens, starts, images = draw_text(small, random, random.randint(1, length)), [], []
    for _ in range(num_images):
        images.append(draw_image(small, random, most_cells))
        starts.append(len(tokens) + 1)
        cells = images[-1].shape[0] * images[-1].shape[1] // small.cell ** 2
        tokens += [config["vision_start_token_id"]] + [config["image_token_id"]] * cells + [config["vision_end_token_id"]]
        tokens += draw_text(small, random, random.randint(0, length // 4))
    first_target = len(tokens)
    tokens += draw_text(small, random, random.randint(1, length))
    return Sample(tokens, max(first_target, 1), 1.0, starts, images)


def write_samples(path, samples):
    """The file that tests/parity/filter/samples.h reads."""
    images = [image for sample in samples for image in sample.images]
    columns = {
        "tokens": [token for sample in samples for token in sample.tokens], "lengths": [len(sample.tokens) for sample in samples],
        "first_targets": [sample.first_target for sample in samples], "weights": [sample.weight for sample in samples],
        "image_counts": [len(sample.images) for sample in samples], "starts": [start for sample in samples for start in sample.starts],
        "heights": [image.shape[0] for image in images], "widths": [image.shape[1] for image in images]}
    tensors = {name: numpy.asarray(values, numpy.float32) for name, values in columns.items() if values}
    if images:
        tensors["pixels"] = numpy.concatenate([image.reshape(-1) for image in images]).astype(numpy.float32)
    save_file(tensors, path)
    return path


def run_judo(context, small, samples, shared=False):
    """judo's logits, log-probabilities, loss and gradients of a batch."""
    output = small.folder / "output.safetensors"
    context.filter("judo_parity", "gradients", requests=[{
        "model": str(small.folder), "input": str(write_samples(small.folder / "input", samples)), "output": str(output), "shared": shared,
        "checkpoint": context.random.random() < 0.5}])
    return load_file(output)


def model_inputs(small, sample):
    """Keyword arguments for the model's forward and generate."""
    ids = torch.tensor([sample.tokens])
    if not sample.images:
        return {"input_ids": ids}
    vision = small.config["vision_config"]
    processor = Qwen2VLImageProcessorPil(patch_size=vision["patch_size"], merge_size=vision["spatial_merge_size"], do_resize=False)
    pictures = processor(images=[Image.fromarray(image) for image in sample.images], return_tensors="pt")
    return {"input_ids": ids, "pixel_values": pictures["pixel_values"], "image_grid_thw": pictures["image_grid_thw"],
            "mm_token_type_ids": (ids == small.config["image_token_id"]).int()}


def logprobs_of(logits, sample):
    """Log-probabilities of the sample's targets."""
    rows = torch.log_softmax(logits[sample.first_target - 1:-1], dim=-1)
    return rows.gather(1, torch.tensor(sample.tokens[sample.first_target:])[:, None])[:, 0]


def joined(prompt, completion):
    """A prompt with a completion as one sample of its own."""
    return replace(prompt, tokens=prompt.tokens + completion.tokens, first_target=len(prompt.tokens), weight=completion.weight)
