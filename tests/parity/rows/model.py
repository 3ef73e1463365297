"""Logits, gradients, packed batches and groups of small random models."""
import torch

from frame import Case, row
from noise import determined, relative
from samples import Sample, draw_sample, draw_text, joined, logprobs_of, model_inputs, run_judo
from small_model import draw_model, hub_name


def run_reference(small, samples):
    """The same from Transformers, sample by sample."""
    total = sum(sample.weight * (len(sample.tokens) - sample.first_target) for sample in samples)
    small.model.zero_grad()
    logits, logprobs, loss = [], [], 0.0
    for sample in samples:
        one = small.model(**model_inputs(small, sample)).logits[0]
        chosen = logprobs_of(one, sample)
        part = -(chosen.sum() * sample.weight) / total
        part.backward()
        loss += part.item()
        logits.append(one.detach())
        logprobs.append(chosen.detach())
    results = {"logits": torch.cat(logits), "logprobs": torch.cat(logprobs), "loss": torch.tensor([loss])}
    for name, weight in small.model.named_parameters():
        results["grad." + hub_name(name)] = torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
    return results


def whole_gradient(results):
    return torch.cat([results[name].flatten() for name in sorted(results) if name.startswith("grad.")])


def worst_gradient(found, wanted):
    """The largest relative distance of a tensor's gradient, and the tensor's name."""
    return max((relative(found[name], wanted[name]), name[len("grad."):]) for name in wanted if name.startswith("grad."))


def draw_one(context, index, folder):
    """A model and a sample: text only, one or several pictures, now and then a long one."""
    random = context.random
    small = draw_model(random, folder)
    long = random.random() < 0.25
    pictures = index % 4
    sample = draw_sample(small, random, pictures, most_cells=random.choice([1, 20, 300 // max(1, pictures) if long else 80]),
                         length=random.choice([200, 500]) if long and not pictures else 40)
    return small, [sample]


def words(small, samples):
    return f"{small.name}; {len(samples[0].tokens)} tokens, {len(samples[0].images)} pictures"


@row("logits, fp32", "Qwen2_5_VLForConditionalGeneration", bar=2e-4, cases=16, unit="absolute")
def logits(context):
    for index in range(context.cases):
        small, samples = draw_one(context, index, context.folder / f"model{index}")
        found = run_judo(context, small, samples)["logits"]
        with torch.no_grad():
            wanted = small.model(**model_inputs(small, samples[0])).logits[0]
        yield Case(words(small, samples), (found - wanted).abs().max().item(), items=wanted.numel())


@row("gradients of every tensor", "autograd", bar=1e-4, cases=16, unit="relative L2")
def gradients(context):
    def distance(found, wanted):
        return worst_gradient(found, wanted)[0]
    for small, samples, wanted in determined(context, draw_one, run_reference, distance, bar=1e-4):
        difference, tensor = worst_gradient(run_judo(context, small, samples), wanted)
        yield Case(f"{tensor} of {words(small, samples)}", difference, items=len(wanted) - 3)


def draw_packed(context, _, folder):
    small = draw_model(context.random, folder)
    samples = [draw_sample(small, context.random, context.random.randint(0, 2), most_cells=30) for _ in range(context.random.randint(2, 6))]
    for sample in samples:
        sample.weight = context.random.choice([1.0, 0.25, 2.0])
    return small, samples


def draw_group(context, _, folder):
    """The prompt and its completions; what the reference runs are the joined sequences."""
    small = draw_model(context.random, folder)
    prompt = draw_sample(small, context.random, context.random.randint(0, 2), most_cells=30)
    prompt.first_target = len(prompt.tokens)
    completions = [Sample(draw_text(small, context.random, context.random.randint(1, 30)), 1, context.random.choice([1.0, 0.5]), [], [])
                   for _ in range(context.random.randint(1, 7))]
    return small, [prompt] + completions


def gradient_distance(found, wanted):
    return relative(whole_gradient(found), whole_gradient(wanted))


def compare_batch(small, found, wanted, count):
    """Log-probabilities, loss and gradients of a batch beside those of its sequences alone."""
    name = f"of {count} sequences, {small.name}"
    yield Case("log-probabilities " + name, relative(found["logprobs"], wanted["logprobs"]), items=len(wanted["logprobs"]))
    yield Case("loss " + name, relative(found["loss"], wanted["loss"]))
    yield Case("whole gradient " + name, gradient_distance(found, wanted), items=len(wanted) - 3)


@row("packed batch", "one by one in Transformers", bar=1e-5, cases=8, unit="relative L2")
def packed(context):
    for small, samples, wanted in determined(context, draw_packed, run_reference, gradient_distance, bar=1e-5):
        yield from compare_batch(small, run_judo(context, small, samples), wanted, len(samples))


@row("shared-prefix group", "tiled batch in Transformers", bar=1e-5, cases=8, unit="relative L2")
def group(context):
    def run_tiled(small, samples):
        return run_reference(small, [joined(samples[0], completion) for completion in samples[1:]])
    for small, samples, wanted in determined(context, draw_group, run_tiled, gradient_distance, bar=1e-5):
        yield from compare_batch(small, run_judo(context, small, samples, shared=True), wanted, len(samples) - 1)
