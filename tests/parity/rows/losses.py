"""The losses of the three stages and stage 3's advantages."""
import math

import numpy
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

import policy_cases
import trl_grpo
from frame import Case, row

SHARES = ["low_mean", "high_mean", "low_min", "high_max"]


def worst(found, expected):
    return max((abs(a - b) for a, b in zip(found, expected, strict=True)), default=0.0)


def worst_share(found, expected):
    """Relative where the expected number exceeds 1."""
    return max(abs(a - b) / max(1, abs(b)) for a, b in zip(found, expected, strict=True))


def policy_answers(context):
    """Yields case, TRL's answer, judo's answer."""
    cases = [policy_cases.draw(context.random, index) for index in range(context.cases)]
    scored = [policy_cases.score(case) for case in cases]
    requests = [policy_cases.request(case, inputs) for case, (_, inputs) in zip(cases, scored)]
    for case, given, found in zip(cases, scored, context.filter("judo_parity", "policy_loss", requests=requests)):
        settings = case["settings"]
        expected = policy_cases.reference(case, *given, logprobs=found["logprobs"])
        expected["logprobs"] = policy_cases.flat(policy_cases.current(case), policy_cases.kept(case))
        name = f"{settings['loss_type']} {settings['importance_sampling_level']} eps {settings['epsilon_low']} " \
               f"beta {settings['beta']} {'later' if case['old'] else 'first'}"
        yield name, case, expected, found


@row("policy loss", "TRL 1.16 GRPOTrainer._compute_loss, fp64, same log-probabilities", bar=1e-6, cases=480, unit="of the gradient's 1-norm")
def policy_loss(context):
    for name, _, expected, found in policy_answers(context):
        scale = sum(map(abs, expected["gradient"])) or 1.0
        yield Case(name, abs(found["loss"] - expected["loss"]) / max(scale, 0.1))


@row("its gradient by log-probabilities and logits", "the same, autograd", bar=1e-6, cases=480, unit="relative L2")
def policy_gradient(context):
    for name, _, expected, found in policy_answers(context):
        for key in ("gradient", "logit_gradient"):
            wanted = numpy.array(expected[key])
            scale = numpy.linalg.norm(wanted) or 1.0
            yield Case(f"{name} {key}", numpy.linalg.norm(numpy.array(found[key]) - wanted) / scale, items=wanted.size)


@row("log-probabilities, entropy, k3 KL", "the same, its metrics", bar=1e-6, cases=240, unit="relative above 1")
def policy_terms(context):
    for name, _, expected, found in policy_answers(context):
        terms = [[*answer["logprobs"], answer["kl"], answer["entropy"]] for answer in (found, expected)]
        yield Case(name, worst_share(*terms), items=len(terms[0]))


@row("clipped shares", "the same, clip_ratio/*", bar=1e-6, cases=480, unit="absolute")
def clip_shares(context):
    for name, case, expected, found in policy_answers(context):
        if all(policy_cases.kept(case)):
            yield Case(name, worst([found[key] for key in SHARES], [expected[key] for key in SHARES]), items=len(SHARES))


def draw_rewards(random, group_size):
    """Whole groups: spread, equal, with completions that no reward applies to, with one valid or none."""
    rewards = []
    for _ in range(random.randint(1, 6)):
        kind = random.random()
        group = [random.choice([0.0, 0.1, 0.2, 1.0, 3.3]) if kind < 0.5 else random.gauss(0, 2) for _ in range(group_size)]
        if kind > 0.9:
            group = [0.1] * group_size
        holes = random.choice([0, 0, 1, group_size - 1, group_size])
        for place in random.sample(range(group_size), holes):
            group[place] = math.nan
        rewards += group
    return rewards


@row("advantages: group, batch, none; NaN; equal", "TRL 1.16 GRPOTrainer, fp64", bar=1e-6, cases=300, unit="relative above 1")
def advantages(context):
    requests, expected = [], []
    for index in range(context.cases):
        size, scale = context.random.choice([2, 4, 16]), ["group", "batch", "none"][index % 3]
        rewards = draw_rewards(context.random, size)
        expected.append(trl_grpo.advantages(rewards, size, scale).tolist())
        requests.append({"rewards": [None if math.isnan(value) else value for value in rewards], "group_size": size, "scale": scale})
    for request, wanted, answer in zip(requests, expected, context.filter("judo_parity", "advantages", requests=requests)):
        yield Case(f"{request['scale']} {request['group_size']}", worst_share(answer["advantages"], wanted), items=len(wanted))


def tiny_model(seed):
    """Qwen2.5-VL with random weights, for text."""
    torch.manual_seed(seed)
    text = {"vocab_size": 97, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "intermediate_size": 96, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
            "initializer_range": 0.4}
    vision = {"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 48, "out_hidden_size": 64, "fullatt_block_indexes": [0]}
    special = {"image_token_id": 90, "video_token_id": 91, "vision_start_token_id": 92, "vision_end_token_id": 93}
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision, **special)).eval()


def supervised_case(context, model, by_sample):
    """Padded samples with prompts that are not trained: HF's loss and gradient by logits, and judo's request."""
    random, count = context.random, context.random.randint(1, 5)
    lengths = [random.randint(2, 24) for _ in range(count)]
    prompts = [random.randint(1, length - 1) for length in lengths]
    tokens = torch.tensor([[random.randrange(90) for _ in range(max(lengths))] for _ in lengths])
    labels = torch.full_like(tokens, -100)
    for place, (prompt, length) in enumerate(zip(prompts, lengths)):
        labels[place, prompt:length] = tokens[place, prompt:length]
    with torch.no_grad():
        logits = model(input_ids=tokens).logits
    logits.requires_grad_()
    vocabulary = logits.size(-1)
    if by_sample:  # a mean of micro-batches of one sample, as the Trainer's accumulation for this model
        loss = torch.stack([model.loss_function(one.unsqueeze(0), label.unsqueeze(0), vocabulary) for one, label in zip(logits, labels)]).mean()
    else:
        loss = model.loss_function(logits, labels, vocabulary, num_items_in_batch=(labels != -100).sum())
    loss.backward()
    chosen = [(place, at - 1) for place in range(count) for at in range(prompts[place], lengths[place])]
    pick = lambda tensor: [tensor[place, at].tolist() for place, at in chosen]
    request = {"by_sample": by_sample, "lengths": [length - prompt for prompt, length in zip(prompts, lengths)],
               "logits": pick(logits.detach()), "targets": [int(tokens[place, at + 1]) for place, at in chosen]}
    return request, loss.item(), numpy.array(pick(logits.grad)).ravel()


@row("SFT loss and gradient: token mean, sample mean", "Transformers ForCausalLMLoss, tiny Qwen2.5-VL", bar=1e-6, cases=60, unit="relative")
def supervised(context):
    model = tiny_model(context.seed)
    cases = [supervised_case(context, model, index % 2 == 1) for index in range(context.cases)]
    answers = context.filter("judo_parity", "sft_loss", requests=[request for request, _, _ in cases])
    for (request, loss, gradient), answer in zip(cases, answers):
        name = f"{'sample' if request['by_sample'] else 'token'} mean of {len(request['targets'])} targets"
        by_logits = numpy.abs(numpy.array(answer["logit_gradient"]) - gradient).max() / numpy.abs(gradient).max()
        yield Case(name, max(abs(answer["loss"] - loss) / loss, by_logits), items=1 + gradient.size)
