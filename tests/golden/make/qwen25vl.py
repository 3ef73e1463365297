"""Small random Qwen2.5-VL models with inputs, log-probabilities and gradients from transformers.

Usage: python qwen25vl.py OUTPUT_DIRECTORY   (torch, transformers and safetensors; CPU, fp32)

Each case becomes OUTPUT_DIRECTORY/CASE with config.json and model.safetensors (hub names), and
golden.safetensors, all fp32 (ids and pixels are exact): tokens, grids [n, 3], starts, pixels (RGB,
one image behind the other), patches (what the processor makes of them), positions [3, T], delta,
targets (-100: none), logits [T, V], loss, and grad.NAME for every weight NAME.
"""
import json
import os
import sys

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

IMAGE, START, END = 60, 61, 62
CASES = {
    # grouped queries 4:1, untied, a grid that is no multiple of the window, text on both sides
    "untied": dict(hidden=32, inner=24, layers=2, heads=4, kv=1, section=[1, 1, 2], tie=False,
                   vision=dict(depth=3, hidden=16, inner=20, heads=2, full=[1], patch=2, window=8),
                   grids=[(6, 10)]),
    # tied, two rectangular images of different size, another head dimension
    "tied": dict(hidden=24, inner=20, layers=2, heads=2, kv=2, section=[2, 2, 2], tie=True,
                 vision=dict(depth=2, hidden=24, inner=16, heads=2, full=[0], patch=2, window=8),
                 grids=[(4, 8), (10, 6)]),
    # grouped queries 3:1, exact windows, a single merged token beside it
    "grouped": dict(hidden=24, inner=28, layers=3, heads=6, kv=2, section=[1, 1, 0], tie=True,
                    vision=dict(depth=2, hidden=16, inner=12, heads=4, full=[1], patch=3, window=12),
                    grids=[(8, 8), (2, 2)]),
    # no image at all
    "text": dict(hidden=16, inner=24, layers=2, heads=2, kv=1, section=[1, 2, 1], tie=False,
                 vision=dict(depth=1, hidden=8, inner=8, heads=2, full=[0], patch=2, window=4), grids=[]),
}


def config_of(case):
    vision = case["vision"]
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "vocab_size": 64, "hidden_size": case["hidden"], "intermediate_size": case["inner"],
        "num_hidden_layers": case["layers"], "num_attention_heads": case["heads"],
        "num_key_value_heads": case["kv"], "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "max_position_embeddings": 512, "rope_theta": 10000.0, "use_sliding_window": False,
        "sliding_window": 32, "max_window_layers": 1, "attention_dropout": 0.0,
        "initializer_range": 0.02, "tie_word_embeddings": case["tie"],
        "rope_scaling": {"type": "mrope", "mrope_section": case["section"]},
        "image_token_id": IMAGE, "video_token_id": 63,
        "vision_start_token_id": START, "vision_end_token_id": END,
        "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
        "vision_config": {
            "model_type": "qwen2_5_vl", "depth": vision["depth"], "hidden_size": vision["hidden"],
            "intermediate_size": vision["inner"], "num_heads": vision["heads"], "hidden_act": "silu",
            "in_channels": 3, "patch_size": vision["patch"], "temporal_patch_size": 2,
            "spatial_merge_size": 2, "window_size": vision["window"],
            "out_hidden_size": case["hidden"], "fullatt_block_indexes": vision["full"],
            "tokens_per_second": 2,
        },
    }


def hub_name(name):
    if name.startswith("model.language_model."):
        return "model." + name[len("model.language_model."):]
    if name.startswith("model.visual."):
        return name[len("model."):]
    return name


def random_weights(model):
    """Larger than the usual 0.02, so that every path matters, and norms away from one."""
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            weight.data = ("norm" in name or "ln_q" in name) + 0.2 * torch.randn_like(weight)
        else:
            weight.data = torch.randn_like(weight) * (1.0 / weight[0].numel()) ** 0.5


def sequence(case):
    tokens, starts = [3, 17, 5], []
    for height, width in case["grids"]:
        tokens.append(START)
        starts.append(len(tokens))
        tokens += [IMAGE] * (height * width // 4)
        tokens.append(END)
    tokens += torch.randint(0, 60, (9,)).tolist()
    return tokens, starts


def pictures(case):
    """Noise of each grid's size, and its patches."""
    patch = case["vision"]["patch"]
    processor = Qwen2VLImageProcessorPil(do_resize=False, patch_size=patch, temporal_patch_size=2, merge_size=2)
    images = [torch.randint(0, 256, (h * patch, w * patch, 3), dtype=torch.uint8) for h, w in case["grids"]]
    patches = [processor(images=Image.fromarray(image.numpy()), return_tensors="pt")["pixel_values"] for image in images]
    nothing = torch.empty(0)
    return torch.cat([nothing, *(image.flatten() for image in images)]), torch.cat(patches) if patches else nothing


def make(name, case, root):
    torch.manual_seed(sum(map(ord, name)))
    config = config_of(case)
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**json.loads(json.dumps(config))))
    model = model.float().train()
    model.set_attn_implementation("eager")
    random_weights(model)
    tokens, starts = sequence(case)
    ids = torch.tensor([tokens])
    grids = torch.tensor([(1, h, w) for h, w in case["grids"]]).reshape(-1, 3)
    pixels, patches = pictures(case)
    types = (ids == IMAGE).int()
    if starts:
        positions, delta = model.model.get_rope_index(ids, mm_token_type_ids=types, image_grid_thw=grids)
    else:
        positions = torch.arange(len(tokens)).expand(3, 1, -1)
        delta = torch.zeros(1, 1)
    labels = torch.roll(ids[0], -1).clone()
    labels[-1] = -100
    labels[: len(tokens) - 8] = -100
    if not starts:
        labels[3] = tokens[4]
    extra = dict(pixel_values=patches, image_grid_thw=grids, mm_token_type_ids=types) if starts else {}
    logits = model(input_ids=ids, position_ids=positions, **extra).logits[0]
    loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100)
    loss.backward()
    state = {hub_name(k): v.detach().clone().contiguous() for k, v in model.named_parameters()}
    folder = os.path.join(root, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    golden = dict(tokens=ids[0], targets=labels, pixels=pixels, patches=patches, grids=grids,
                  starts=torch.tensor(starts), positions=positions[:, 0], delta=delta.reshape(1),
                  logits=logits.detach(), loss=loss.detach().reshape(1))
    for key, weight in model.named_parameters():
        gradient = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        golden["grad." + hub_name(key)] = gradient
    golden = {k: v.float().clone().contiguous() for k, v in golden.items() if v.numel()}
    save_file(golden, os.path.join(folder, "golden.safetensors"))


if __name__ == "__main__":
    for case_name, case_values in CASES.items():
        make(case_name, case_values, sys.argv[1])
