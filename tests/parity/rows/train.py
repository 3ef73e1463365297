"""Twenty optimizer steps beside torch's AdamW, clip_grad_norm_ and Transformers' schedules."""
import torch
from safetensors.torch import load_file
from transformers import get_scheduler

from frame import Case, row
from noise import determined, relative
from samples import draw_sample, logprobs_of, model_inputs, write_samples
from small_model import draw_model, hub_name

STEPS = 20
SCHEDULES = ["linear", "cosine", "constant_with_warmup", "cosine_with_min_lr"]


def draw_settings(random, name):
    """In the words of judo_parity train; the first steps of a run without warm-up are the largest, so both kinds are drawn."""
    return {
        "steps": STEPS, "per_step": random.randint(1, 4), "micro_batch": random.randint(1, 3), "checkpoint": random.random() < 0.5,
        "learning_rate": 10 ** random.uniform(-4, -3), "beta1": random.choice([0.9, 0.8]), "beta2": random.choice([0.999, 0.95]),
        "epsilon": random.choice([1e-8, 1e-6]), "weight_decay": random.choice([0.0, 0.1, 0.3]),
        "clip_norm": random.choice([0.0, 0.3, 1.0, 100.0]), "schedule": {"linear": 0, "constant_with_warmup": 2}.get(name, 1),
        "warmup": random.choice([0, 1, 5, 19]), "minimum_ratio": random.choice([0.1, 0.5]) if name == "cosine_with_min_lr" else 0.0}


def make_optimizer(small, settings, name):
    """Matrices decay, norms and biases do not."""
    weights = list(small.model.parameters())
    groups = [{"params": [w for w in weights if w.dim() > 1], "weight_decay": settings["weight_decay"]},
              {"params": [w for w in weights if w.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], betas=(settings["beta1"], settings["beta2"]), eps=settings["epsilon"])
    options = {"min_lr_rate": settings["minimum_ratio"]} if name == "cosine_with_min_lr" else {}
    return optimizer, get_scheduler(name, optimizer, num_warmup_steps=settings["warmup"], num_training_steps=STEPS, scheduler_specific_kwargs=options)


def train_reference(small, samples):
    """Changes small.model; gives losses, gradient norms and weights. Weights that no sample reaches have a zero gradient, as in judo."""
    settings = small.settings
    optimizer, schedule = make_optimizer(small, settings, small.schedule)
    losses, norms = [], []
    for step in range(STEPS):
        chosen = samples[step * settings["per_step"]:(step + 1) * settings["per_step"]]
        targets = sum(len(sample.tokens) - sample.first_target for sample in chosen)
        for weight in small.model.parameters():
            weight.grad = torch.zeros_like(weight)
        loss = -sum(logprobs_of(small.model(**model_inputs(small, sample)).logits[0], sample).sum() for sample in chosen) / targets
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(small.model.parameters(), settings["clip_norm"] or 1e30).item())
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
    weights = {hub_name(name): weight.detach().clone() for name, weight in small.model.named_parameters()}
    return {"losses": torch.tensor(losses), "norms": torch.tensor(norms), **weights}


def draw_training(context, index, folder):
    """The settings travel with the model."""
    small = draw_model(context.random, folder)
    small.schedule = SCHEDULES[index % len(SCHEDULES)]
    small.settings = settings = draw_settings(context.random, small.schedule)
    samples = [draw_sample(small, context.random, context.random.randint(0, 2), most_cells=20, length=20)
               for _ in range(STEPS * settings["per_step"])]
    return small, samples


def train_judo(context, small, samples):
    output = small.folder / "trained.safetensors"
    context.filter("judo_parity", "train", requests=[{
        "model": str(small.folder), "input": str(write_samples(small.folder / "input", samples)), "output": str(output), **small.settings}])
    return load_file(output)


def worst_weight(found, wanted):
    return max((relative(found[name], wanted[name]), name) for name in wanted if name not in ("losses", "norms"))


@row("20 steps: AdamW, clipping, schedule", "torch.optim.AdamW, clip_grad_norm_, get_scheduler", bar=1e-5, cases=8, unit="relative L2")
def train(context):
    def distance(found, wanted):
        return worst_weight(found, wanted)[0]
    for small, samples, wanted in determined(context, draw_training, train_reference, distance, bar=1e-5):
        found = train_judo(context, small, samples)
        about = f"{small.schedule}, {', '.join(f'{k} {v:g}' for k, v in small.settings.items())}; {small.name}"
        yield Case(f"losses of {about}", relative(found["losses"], wanted["losses"]), items=STEPS)
        yield Case(f"gradient norms of {about}", relative(found["norms"], wanted["norms"]), items=STEPS)
        difference, tensor = worst_weight(found, wanted)
        yield Case(f"{tensor} of {about}", difference, items=len(wanted) - 2)
