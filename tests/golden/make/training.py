"""Twenty optimizer steps on the small Qwen2.5-VL models, from torch's AdamW and Transformers' schedules.

Usage: python training.py MODELS_DIRECTORY   (torch, transformers and safetensors; CPU, fp32)

For the cases below that qwen25vl.py made, MODELS_DIRECTORY/CASE/trained.safetensors: `losses` and `norms` [20] (before
clipping) and the weights NAME after the last step. Every step trains on the case's golden sequence. Matrices decay, norms
and biases do not.
"""
import os
import sys

import torch
from qwen25vl import IMAGE, hub_name
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration, get_scheduler

STEPS = 20
CASES = {
    # every step is clipped
    "grouped": dict(lr=1e-3, betas=(0.9, 0.98), eps=1e-8, decay=0.1, clip=0.5, schedule="cosine_with_min_lr", warmup=3, minimum=0.1),
    # none is; no warm-up, so that the first step is whole
    "text": dict(lr=5e-4, betas=(0.8, 0.999), eps=1e-6, decay=0.01, clip=1e30, schedule="linear", warmup=0, minimum=None),
}


def make(folder, case):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).train()
    model.set_attn_implementation("eager")
    golden = load_file(os.path.join(folder, "golden.safetensors"))
    ids, labels = golden["tokens"].long()[None], golden["targets"].long()
    inputs = dict(input_ids=ids)
    if "patches" in golden:
        inputs.update(pixel_values=golden["patches"], image_grid_thw=golden["grids"].long(), mm_token_type_ids=(ids == IMAGE).int())
    weights = list(model.parameters())
    groups = [dict(params=[w for w in weights if w.dim() > 1], weight_decay=case["decay"]),
              dict(params=[w for w in weights if w.dim() == 1], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=case["lr"], betas=case["betas"], eps=case["eps"])
    extra = {} if case["minimum"] is None else dict(min_lr_rate=case["minimum"])
    schedule = get_scheduler(case["schedule"], optimizer, case["warmup"], STEPS, scheduler_specific_kwargs=extra)
    losses, norms = [], []
    for _ in range(STEPS):
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits[0], labels, ignore_index=-100)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(weights, case["clip"]).item())
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
    print("%s: loss %.4f to %.4f, gradient norm %.3g to %.3g" % (folder, losses[0], losses[-1], norms[0], norms[-1]))
    state = {hub_name(name): weight.detach().clone().contiguous() for name, weight in model.named_parameters()}
    save_file(dict(losses=torch.tensor(losses), norms=torch.tensor(norms), **state), os.path.join(folder, "trained.safetensors"))


if __name__ == "__main__":
    for case_name, case_values in CASES.items():
        make(os.path.join(sys.argv[1], case_name), case_values)
