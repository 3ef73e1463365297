"""How far Transformers' bf16 is from its fp32 on the small Qwen2.5-VL models.

Usage: python bf16.py MODELS_DIRECTORY   (torch, transformers and safetensors; CPU)

For each case that qwen25vl.py made, MODELS_DIRECTORY/CASE/bf16.safetensors: `eager` and `sdpa`, fp32 [2]: the relative L2
distances of the logits and of the whole gradient from the golden ones. The model is as from_pretrained(dtype=bfloat16)
makes it: weights in bf16, rotary frequencies in fp32.
"""
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from qwen25vl import IMAGE, hub_name


def distance(found, wanted):
    return (torch.linalg.vector_norm(found.double() - wanted.double()) / torch.linalg.vector_norm(wanted.double())).item()


def distances(folder, golden, attention):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation=attention)
    assert model.model.language_model.rotary_emb.inv_freq.dtype == torch.float32
    tokens = golden["tokens"].long()[None]
    inputs = {}
    if "patches" in golden:
        inputs = dict(pixel_values=golden["patches"], image_grid_thw=golden["grids"].long(), mm_token_type_ids=(tokens == IMAGE).int())
    logits = model(input_ids=tokens, position_ids=golden["positions"].long()[:, None], **inputs).logits[0].float()
    torch.nn.functional.cross_entropy(logits, golden["targets"].long(), ignore_index=-100).backward()
    names = [name for name, weight in model.named_parameters() if weight.grad is not None]
    weights = dict(model.named_parameters())
    gradient = torch.cat([weights[name].grad.float().flatten() for name in names])
    wanted = torch.cat([golden["grad." + hub_name(name)].flatten() for name in names])
    return torch.tensor([distance(logits.detach(), golden["logits"]), distance(gradient, wanted)])


def main(root):
    for case in sorted(os.listdir(root)):
        folder = os.path.join(root, case)
        golden = load_file(os.path.join(folder, "golden.safetensors"))
        found = {attention: distances(folder, golden, attention) for attention in ("eager", "sdpa")}
        print(case, {name: pair.tolist() for name, pair in found.items()})
        save_file(found, os.path.join(folder, "bf16.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1])
