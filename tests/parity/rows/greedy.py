"""Greedy continuations of small random models."""
import torch

from frame import Case, row
from samples import draw_sample, model_inputs, write_samples
from small_model import draw_config, draw_model

TOKENS = 128
MARGIN = 2e-4  # the bar of the logits: where the best two are nearer, rounding may decide


def continue_reference(small, sample, penalty, banned, stops):
    """The ids after the prompt, and the smallest distance between the best two scores."""
    inputs = model_inputs(small, sample)
    out = small.model.generate(
        **inputs, attention_mask=torch.ones_like(inputs["input_ids"]), max_new_tokens=TOKENS, do_sample=False, repetition_penalty=penalty,
        suppress_tokens=banned or None, eos_token_id=stops or None, pad_token_id=0, output_scores=True, return_dict_in_generate=True)
    margin = min(-torch.diff(scores[0].topk(2).values).item() for scores in out.scores)
    return out.sequences[0, len(sample.tokens):].tolist(), margin


def differing(found, wanted):
    return sum(a != b for a, b in zip(found, wanted)) + abs(len(found) - len(wanted))


def draw_prompts(context, index):
    small = draw_model(context.random, context.folder / f"model{index}", draw_config(context.random))
    config = small.config
    prompts = [draw_sample(small, context.random, pictures, most_cells=20) for pictures in (context.random.randint(1, 2), context.random.randint(0, 1))]
    for prompt in prompts:
        prompt.first_target = len(prompt.tokens)
    banned = [config["image_token_id"], config["video_token_id"], config["vision_start_token_id"]]
    return small, prompts, banned if context.random.random() < 0.5 else []


@row("greedy generation, 128 tokens", "generate", bar=0, cases=12, unit="ids")
def greedy(context):
    """Each case generates twice: endless, then with the end token that cuts it in the middle."""
    index = attempts = 0
    while index < context.cases and attempts < 4 * context.cases:
        attempts += 1
        small, prompts, banned = draw_prompts(context, attempts)
        penalty = context.random.choice([1.0, 1.3, 0.8, 1.05])
        wanted = [continue_reference(small, prompt, penalty, banned, []) for prompt in prompts]
        if min(margin for _, margin in wanted) < MARGIN:
            continue
        index += 1
        path = str(write_samples(context.folder / f"input{attempts}.safetensors", prompts))
        request = {"model": str(small.folder), "input": path, "max_new_tokens": TOKENS, "repetition_penalty": penalty, "banned": banned}
        stops = [wanted[0][0][context.random.randrange(TOKENS)], wanted[1][0][context.random.randrange(TOKENS)]]
        endless, ended = context.filter("judo_parity", "generate", requests=[request, {**request, "stop": stops}])
        about = f"of {small.name}, penalty {penalty}, {len(banned)} banned"
        cut = [continue_reference(small, prompt, penalty, banned, stops)[0] for prompt in prompts]
        yield Case("endless " + about, sum(differing(f, w) for f, (w, _) in zip(endless["tokens"], wanted)), items=2 * TOKENS)
        yield Case("ended " + about, sum(map(differing, ended["tokens"], cut)), items=sum(map(len, cut)))
    if index < context.cases:
        raise RuntimeError(f"only {index} of {attempts} drawn models had no near tie")
