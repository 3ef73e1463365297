"""Logits, gradients, packed batches and groups of small random models."""
import torch
from safetensors.torch import load_file

from frame import Case, row
from samples import draw_sample, draw_text, joined, logprobs_of, model_inputs, write_samples, Sample
from small_model import draw_model, hub_name


def run_judo(context, small, samples, index, shared=False):
    """judo's logits, log-probabilities, loss and gradients of a batch."""
    output = context.folder / f"output{index}.safetensors"
    context.filter("judo_parity", "gradients", requests=[{
        "model": str(small.folder), "input": str(write_samples(context.folder / f"input{index}.safetensors", samples)),
        "output": str(output), "shared": shared, "checkpoint": context.random.random() < 0.5}])
    return load_file(output)


def run_reference(small, samples):
    """The same from Transformers, sample by sample: logits and log-probabilities of each, the loss; gradients stay in the model."""
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
    return logits, torch.cat(logprobs), loss


def worst_gradient(small, found):
    """The largest relative distance of a tensor's gradient, and its name; zero gradients must be zero."""
    worst = (0.0, "")
    for name, weight in small.model.named_parameters():
        wanted = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        difference = torch.linalg.vector_norm(found["grad." + hub_name(name)].double() - wanted.double()).item()
        size = torch.linalg.vector_norm(wanted.double()).item()
        worst = max(worst, (difference / size if size > 0 else difference, hub_name(name)))
    return worst


def relative(found, wanted):
    return (torch.linalg.vector_norm(found.double() - wanted.double()) / torch.linalg.vector_norm(wanted.double())).item()


def draw_one(context, index):
    """A model and a sample: text only, one or several pictures, now and then a long one."""
    random = context.random
    small = draw_model(random, context.folder / f"model{index}")
    long = random.random() < 0.25
    pictures = index % 4
    sample = draw_sample(small, random, pictures, most_cells=random.choice([1, 20, 300 // max(1, pictures) if long else 80]),
                         length=random.choice([200, 500]) if long and not pictures else 40)
    return small, sample, f"{small.name}; {len(sample.tokens)} tokens, {pictures} pictures"


@row("logits, fp32", "Qwen2_5_VLForConditionalGeneration", bar=2e-4, cases=16, unit="absolute")
def logits(context):
    for index in range(context.cases):
        small, sample, name = draw_one(context, index)
        found = run_judo(context, small, [sample], index)
        with torch.no_grad():
            wanted = small.model(**model_inputs(small, sample)).logits[0]
        yield Case(name, (found["logits"] - wanted).abs().max().item(), items=wanted.numel())


@row("gradients of every tensor", "autograd", bar=1e-4, cases=16, unit="relative L2")
def gradients(context):
    for index in range(context.cases):
        small, sample, name = draw_one(context, index)
        found = run_judo(context, small, [sample], index)
        run_reference(small, [sample])
        difference, tensor = worst_gradient(small, found)
        yield Case(f"{tensor} of {name}", difference, items=len(found) - 3)


@row("packed batch: values", "one by one in Transformers", bar=1e-5, cases=8, unit="relative L2")
def packed(context):
    for index in range(context.cases):
        small = draw_model(context.random, context.folder / f"model{index}")
        samples = [draw_sample(small, context.random, context.random.randint(0, 2), most_cells=30) for _ in range(context.random.randint(2, 6))]
        for sample in samples:
            sample.weight = context.random.choice([1.0, 0.25, 2.0])
        yield from compare_batch(context, small, samples, samples, index)


@row("shared-prefix group", "tiled batch in Transformers", bar=1e-5, cases=8, unit="relative L2")
def group(context):
    for index in range(context.cases):
        small = draw_model(context.random, context.folder / f"model{index}")
        prompt = draw_sample(small, context.random, context.random.randint(0, 2), most_cells=30)
        prompt.first_target = len(prompt.tokens)
        completions = [Sample(draw_text(small, context.random, context.random.randint(1, 30)), 1, context.random.choice([1.0, 0.5]), [], [])
                       for _ in range(context.random.randint(1, 7))]
        yield from compare_batch(context, small, [prompt] + completions, [joined(prompt, c) for c in completions], index, shared=True)


def compare_batch(context, small, given, alone, index, shared=False):
    """Log-probabilities, loss and gradients of a batch beside those of its sequences alone."""
    found = run_judo(context, small, given, index, shared)
    _, logprobs, loss = run_reference(small, alone)
    name = f"of {len(alone)} sequences, {small.name}"
    yield Case("log-probabilities " + name, relative(found["logprobs"], logprobs), items=len(logprobs))
    yield Case("loss " + name, abs(found["loss"].item() - loss) / abs(loss))
    wanted = torch.cat([w.grad.flatten() if w.grad is not None else torch.zeros(w.numel()) for w in small.model.parameters()])
    names = ["grad." + hub_name(n) for n, _ in small.model.named_parameters()]
    yield Case("whole gradient " + name, relative(torch.cat([found[n].flatten() for n in names]), wanted), items=len(names))
