"""The sampler's filters and draws beside the logits processors of Transformers, in their order there."""
import math

import numpy
import torch
from transformers.generation import logits_process as processors

from frame import Case, row

NEAR = 1e-6  # where a threshold lies this near a value, rounding may decide what is kept
DRAWS = 20000
CUTS = (processors.TopKLogitsWarper, processors.TopPLogitsWarper, processors.MinPLogitsWarper)


def draw_logits(random, kind):
    noise = numpy.random.default_rng(random.getrandbits(40))
    vocab = {"tiny": random.randint(1, 4)}.get(kind, random.choice([17, 64, 151, 600]))
    logits = noise.normal(0, random.choice([0.5, 2, 8]), vocab)
    if kind == "ties":
        logits = numpy.round(logits)
    elif kind == "extreme":
        logits[noise.integers(0, vocab, 3)] = random.choice([1e30, 300.0, -1e30])
    elif kind == "flat":
        logits[:] = 1.5
    return logits.astype(numpy.float32).astype(float)


def draw_request(random, kind):
    logits = draw_logits(random, kind)
    vocab = len(logits)
    request = {
        "logits": logits.tolist(), "seen": random.sample(range(vocab), random.randint(0, vocab)), "banned": [],
        "temperature": random.choice([1.0, 0.3, 0.7, 1.5, 5.0]), "top_k": random.choice([0, 0, 1, 5, vocab, vocab + 7]),
        "top_p": random.choice([1.0, 1.0, 0.9, 0.5, 0.05, random.random()]) or 1.0, "min_p": random.choice([0.0, 0.0, 0.02, 0.3, 1.0]),
        "repetition_penalty": random.choice([1.0, 1.2, 0.7])}
    if kind == "one left":
        request["banned"] = random.sample(range(vocab), vocab - 1)
    elif random.random() < 0.3:
        request["banned"] = random.sample(range(vocab), random.randint(0, vocab - 1))
    # What judo computes with is a float; the reference gets the same values.
    for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
        request[name] = float(numpy.float32(request[name]))
    return request


def chain(request):
    """Transformers' processors, those that change something, in the order in which generate applies them."""
    steps = []
    if request["repetition_penalty"] != 1.0 and request["seen"]:
        steps.append(processors.RepetitionPenaltyLogitsProcessor(request["repetition_penalty"]))
    if request["banned"]:
        steps.append(processors.SuppressTokensLogitsProcessor(request["banned"]))
    if request["temperature"] != 1.0:
        steps.append(processors.TemperatureLogitsWarper(request["temperature"]))
    if request["top_k"]:
        steps.append(processors.TopKLogitsWarper(request["top_k"]))
    if request["top_p"] < 1.0:
        steps.append(processors.TopPLogitsWarper(request["top_p"]))
    if request["min_p"] > 0.0:
        steps.append(processors.MinPLogitsWarper(request["min_p"]))
    return steps


def is_near(step, scores):
    """Does a threshold of top-p or min-p lie on a value, so that rounding decides? Equal values at the cut are for ties to decide."""
    if isinstance(step, processors.TopPLogitsWarper):
        sums = scores.softmax(-1).sort().values.cumsum(-1)
        return (sums - (1 - step.top_p)).abs().min().item() < NEAR
    if isinstance(step, processors.MinPLogitsWarper):
        shares = scores.softmax(-1) / scores.softmax(-1).max()
        # At min_p 1 the best stays, whatever rounding does to the others.
        return ((shares - step.min_p).abs() < NEAR).logical_and(shares < 1.0).any().item()
    return False


def reference(request):
    """Probabilities by the processors themselves, and the scores before anything is cut; None where rounding may decide. What
    changes single scores runs in single precision, as in use; what sums them, in double."""
    scores = torch.tensor([request["logits"]], dtype=torch.float32)
    ids = torch.tensor([request["seen"]], dtype=torch.long)
    steps = chain(request)
    while steps and not isinstance(steps[0], CUTS):
        scores = steps.pop(0)(ids, scores)
    scores = uncut = scores.double()
    for step in steps:
        if is_near(step, scores):
            return None
        scores = step(ids, scores)
    return scores.softmax(-1)[0].numpy(), uncut[0].tolist()


def sort_ties(values, scores):
    """Ids of equal score are exchangeable: where a cut goes through them, either choice is right. Their values are put in order."""
    ordered = values.copy()
    groups = {}
    for token, score in enumerate(scores):
        groups.setdefault(score, []).append(token)
    for tokens in groups.values():
        ordered[tokens] = sorted(values[tokens], reverse=True)
    return ordered


def draw_comparable(context, kind):
    while True:
        request = draw_request(context.random, kind)
        wanted = reference(request)
        if wanted is not None:
            return request, sort_ties(*wanted), wanted[1]


KINDS = ["plain", "ties", "extreme", "tiny", "flat", "one left"]


def words(kind, request):
    return f"{kind}, vocabulary {len(request['logits'])}, " + ", ".join(
        f"{name} {value:.3g}" for name, value in request.items() if isinstance(value, (int, float)))


@row("sampling filters", "logits processors", bar=1e-6, cases=240, unit="probability")
def filters(context):
    """Probabilities as seen from the draws, to 2^-24; a kept set that differs is a difference of 1."""
    requests = [draw_comparable(context, KINDS[index % len(KINDS)]) for index in range(context.cases)]
    answers = context.filter("judo_parity", "sample", requests=[request for request, _, _ in requests])
    for index, ((request, wanted, scores), answer) in enumerate(zip(requests, answers)):
        found = sort_ties(numpy.array(answer["probabilities"]), scores)
        other_set = ((found > 0) & (wanted == 0)) | ((found == 0) & (wanted > 2 ** -22))
        difference = 1.0 if other_set.any() else numpy.abs(found - wanted).max()
        yield Case(words(KINDS[index % len(KINDS)], request), difference, items=len(wanted))


def kept_ties(counts, probabilities, scores):
    """Counts with those of equal scores moved, unsorted, to where the reference's choice among them stands; sorting would bias them."""
    moved = counts.copy()
    for score in set(scores):
        tokens = [token for token, other in enumerate(scores) if other == score]
        drawn = [token for token in tokens if counts[token] > 0]
        kept = [token for token in tokens if probabilities[token] > 0]
        if len(drawn) <= len(kept) < len(tokens):
            moved[tokens] = 0
            moved[kept[:len(drawn)]] = counts[drawn]
    return moved


def surprise(counts, probabilities, scores):
    """-log10 of the chance of a chi-squared this large (Wilson and Hilferty's normal form); rare ids are taken together."""
    counts = kept_ties(counts, probabilities, scores)
    expected = probabilities * counts.sum()
    common = expected >= 10
    groups = [(counts[i], expected[i]) for i in numpy.flatnonzero(common)] + [(counts[~common].sum(), expected[~common].sum())]
    if any(count > 0 and share == 0 for count, share in zip(counts, probabilities)):
        return math.inf
    groups = [(count, share) for count, share in groups if share >= 10]
    freedom = len(groups) - 1
    if freedom < 1:
        return 0.0
    chi = sum((count - share) ** 2 / share for count, share in groups)
    normal = ((chi / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return -math.log10(max(math.erfc(normal / math.sqrt(2)) / 2, 1e-300))


@row("drawn frequencies", "chi-squared test, false alarms below 1e-6 a run", bar=8, cases=40, unit="-log10 of chance")
def frequencies(context):
    requests = [draw_comparable(context, KINDS[index % len(KINDS)]) for index in range(context.cases)]
    for request, _, _ in requests:
        request.update(draws=DRAWS, seed=context.random.getrandbits(40))
    answers = context.filter("judo_parity", "sample", requests=[request for request, _, _ in requests])
    for index, ((request, wanted, scores), answer) in enumerate(zip(requests, answers)):
        request.pop("seed")
        yield Case(words(KINDS[index % len(KINDS)], request), surprise(numpy.array(answer["counts"]), wanted, scores), items=DRAWS)
