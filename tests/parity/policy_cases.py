"""Random updates of stage 3: what judo_parity policy_loss is asked, and what TRL answers."""
import itertools
import math
import struct

import trl_grpo

LOSSES = ["grpo", "bnpo", "dr_grpo", "dapo", "luspo", "gspo"]
# loss, importance, clip, KL, several updates: every combination in turn.
COMBINATIONS = list(itertools.product(LOSSES, ["token", "sequence"], [False, True], [False, True], [False, True]))


def single(value):
    """The nearest float: judo's inputs, exactly."""
    return struct.unpack("f", struct.pack("f", value))[0]


def draw(random, index, most_tokens=9, vocabulary=7, groups=2, group_size=3, grid=None):
    """One update as a request to judo and as TRL's settings and tensors; `grid` takes multiples of 1/grid, which are short."""
    exact = lambda value: round(value * grid) / grid if grid else single(value)
    kind, importance, clip, kl, later = COMBINATIONS[index % len(COMBINATIONS)]
    count = groups * group_size
    lengths = [random.randint(1, most_tokens) for _ in range(count)]
    masked = random.random() < 0.3
    truncated = [masked and place > 0 and random.random() < 0.3 for place in range(count)]
    by_sequence = importance == "sequence" or kind == "gspo"
    narrow = random.choice([0.003, 0.02]) if by_sequence else random.choice([0.02, 0.2])
    settings = {
        "loss_type": "grpo" if kind == "gspo" else kind, "importance_sampling_level": "sequence" if by_sequence else "token",
        "epsilon_low": narrow if clip else 1.0, "epsilon_high": random.choice([narrow, 1.4 * narrow]) if clip else 10.0,
        "beta": random.choice([0.001, 0.04, 1.0]) if kl else 0.0, "max_completion_length": most_tokens,
        "num_generations": group_size, "mask_truncated_completions": masked,
        "delta": random.choice([None, 1.5]) if clip and later else None,
    }
    temperature = random.choice([1.0, 0.8, 1.7])
    rows = [[[exact(random.gauss(0, 1.5)) for _ in range(vocabulary)] for _ in range(length)] for length in lengths]
    targets = [[random.randrange(vocabulary) for _ in range(length)] for length in lengths]
    spread = (0.02 if by_sequence else 0.2) if clip else 0.5
    case = {"settings": settings, "temperature": temperature, "logits": rows, "targets": targets, "lengths": lengths,
            "truncated": truncated, "rewards": [random.choice([0.0, 0.2, 1.0, 1.2, 2.3]) for _ in range(count)],
            "old": None, "ref": None}
    near = lambda: [[exact(logprob + random.gauss(0, spread)) for logprob in row] for row in current(case)]
    case["old"] = near() if later else None
    case["ref"] = near() if kl else None
    case["request"] = {"loss": kind, "importance": importance}
    return case


def current(case):
    """The policy's own log-probabilities."""
    result = []
    for row, targets in zip(case["logits"], case["targets"]):
        scaled = [[value / case["temperature"] for value in logits] for logits in row]
        result.append([logits[token] - math.log(sum(map(math.exp, logits))) for logits, token in zip(scaled, targets)])
    return result


def flat(rows, kept):
    return None if rows is None else [value for row, keep in zip(rows, kept) if keep for value in row]


def ragged(values, lengths, rows):
    """The inverse of `flat`; what was left out is 0."""
    values = iter(values)
    return [[next(values) if keep else 0.0 for _ in range(length)] for length, keep in zip(lengths, rows)]


def kept(case):
    """A completion that is masked has no tokens at all in judo."""
    return [not (case["settings"]["mask_truncated_completions"] and cut) for cut in case["truncated"]]


def score(case):
    """TRL's inputs to the loss: advantages, as floats, and masks."""
    trainer = trl_grpo.stand_in(**case["settings"])
    inputs = trl_grpo.scored_batch(trainer, case["rewards"], case["lengths"], case["truncated"])
    inputs["advantages"] = inputs["advantages"].float().double()
    return trainer, inputs


def reference(case, trainer, inputs, logprobs=None):
    """TRL's answer in the form of judo's, at judo's log-probabilities (flat) or else its own."""
    rows = kept(case)
    # judo prints a float's shortest text; the float itself is what its loss saw.
    given = None if logprobs is None else ragged(map(single, logprobs), case["lengths"], rows)
    found = trl_grpo.loss(trainer, inputs, case["logits"], case["targets"], case["temperature"], case["old"], case["ref"], given)
    shares = {name: found.metrics[f"clip_ratio/{name}"] for name in ("low_mean", "high_mean", "low_min", "high_max")}
    return {"loss": found.loss, "kl": found.metrics.get("kl", 0.0), "entropy": found.metrics["entropy"], **shares,
            "logprobs": flat(found.logprobs, rows), "gradient": flat(found.gradient, rows),
            "logit_gradient": [value for token in flat(found.logit_gradient, rows) for value in token]}


def request(case, inputs):
    """What judo is asked; the advantages are TRL's."""
    settings, rows = case["settings"], kept(case)
    return {**case["request"], "clip_low": settings["epsilon_low"], "clip_high": settings["epsilon_high"],
            "delta": settings["delta"] or 0, "kl_beta": settings["beta"], "temperature": case["temperature"],
            "max_new_tokens": settings["max_completion_length"],
            "lengths": [length if keep else 0 for length, keep in zip(case["lengths"], rows)], "advantages": inputs["advantages"].tolist(),
            "logits": flat(case["logits"], rows), "targets": flat(case["targets"], rows), "old": flat(case["old"], rows),
            "ref": flat(case["ref"], rows)}
