"""How far bf16 is from fp32: judo's distance as a share of Transformers' own, on the same weights and inputs."""
import copy
import math
from collections import defaultdict

import torch
from safetensors.torch import load_file

from frame import Case, row
from samples import draw_sample, logprobs_of, model_inputs, write_samples
from small_model import SPECIALS, draw_config, draw_model, hub_name, split_in_three

ATTENTIONS = ["eager", "sdpa"]


def draw_usual_config(random):
    """Heads and widths as real models have them: draw_config's are odd and small."""
    config = draw_config(random)
    head, heads, key_heads = random.choice([64, 128]), random.choice([4, 6]), 2
    width = head * heads
    config.update(hidden_size=width, num_attention_heads=heads, num_key_value_heads=key_heads, intermediate_size=2 * width + 40,
                  rope_theta=1e6, vocab_size=900, rope_scaling={"type": "mrope", "mrope_section": split_in_three(random, head // 2)})
    config["vision_config"].update(out_hidden_size=width)
    config.update(zip(SPECIALS, random.sample(range(900), len(SPECIALS))))
    return config


def run_judo(context, small, sample):
    output = small.folder / "output.safetensors"
    context.filter("judo_parity", "gradients", requests=[{
        "model": str(small.folder), "input": str(write_samples(small.folder / "input", [sample])), "output": str(output),
        "dtype": "bf16", "checkpoint": context.random.random() < 0.5}])
    return load_file(output)


def run_transformers(model, small, sample):
    model.zero_grad()
    logits = model(**model_inputs(small, sample)).logits[0].float()
    chosen = logprobs_of(logits, sample)
    (-chosen.mean()).backward()
    results = {"logits": logits.detach(), "logprobs": chosen.detach()}
    for name, weight in model.named_parameters():
        results["grad." + hub_name(name)] = torch.zeros_like(weight) if weight.grad is None else weight.grad.float()
    return results


def in_bf16(model, attention):
    """As from_pretrained(dtype=bfloat16) makes it: weights in bf16, the rotary frequencies as they were."""
    half = copy.deepcopy(model).to(torch.bfloat16)
    for (_, buffer), (_, exact) in zip(half.named_buffers(), model.named_buffers()):
        buffer.data = exact.data.clone()
    half.set_attn_implementation(attention)
    return half


def distances(found, wanted):
    """Relative L2 distances of logits, the targets' losses, each weight's gradient, and the whole gradient."""
    squares = {name: ((found[name].double() - wanted[name].double()).square().sum().item(), wanted[name].double().square().sum().item())
               for name in wanted}
    gradients = [pair for name, pair in squares.items() if name.startswith("grad.")]
    squares["whole gradient"] = tuple(map(sum, zip(*gradients)))
    return {name: math.sqrt(difference / size) for name, (difference, size) in squares.items() if size > 0}


def part_of(name):
    """The gradients of a part of the model are judged together: one tensor alone is as much luck as distance."""
    if not name.startswith("grad."):
        return name
    for part, words in {"merger": "visual.merger", "vision tower": "visual.", "decoder": "model.layers."}.items():
        if words in name:
            return f"gradients of the {part}"
    return "gradients of embedding, norm and head"


def draw_case(context, index):
    random = context.random
    usual = index % 3 == 0
    small = draw_model(random, context.folder / f"model{index}", draw_usual_config(random) if usual else None)
    return small, draw_sample(small, random, index % 3, most_cells=40, length=60)


@row("bf16's distance from fp32: logits, losses, gradients", "Transformers' own in bf16, eager and sdpa", bar=1.0, cases=18, unit="ratio")
def distance(context):
    """The geometric mean over all cases of the distances' ratio: a single case's is partly luck."""
    logarithms = defaultdict(list)
    for index in range(context.cases):
        small, sample = draw_case(context, index)
        wanted = run_transformers(small.model, small, sample)
        ours = distances(run_judo(context, small, sample), wanted)
        for attention in ATTENTIONS:
            theirs = distances(run_transformers(in_bf16(small.model, attention), small, sample), wanted)
            for name in ours:
                logarithms[part_of(name), attention].append(math.log(ours[name] / theirs[name]))
    for (part, attention), values in sorted(logarithms.items()):
        yield Case(f"{part} beside {attention}", math.exp(sum(values) / len(values)), items=len(values))
