"""TRL's own GRPO arithmetic on given numbers.

GRPOTrainer's methods run unchanged on a stand-in that has what they read: no model, no generation, no ranks. In double
precision, so that what differs is judo's rounding.
"""
import collections
from types import SimpleNamespace

import torch
from trl.trainer.grpo_trainer import GRPOTrainer

EOS, PAD, OTHER = 1, 0, 2


def accelerator():
    same = lambda value, *_, **__: value
    return SimpleNamespace(device=torch.device("cpu"), num_processes=1, process_index=0, gather=same, gather_for_metrics=same,
                           reduce=same, sync_gradients=True)


def stand_in(**settings):
    """What GRPOTrainer's methods read of `self`; settings as in GRPOConfig, the rest at TRL's defaults."""
    args = SimpleNamespace(per_device_train_batch_size=1, gradient_checkpointing_kwargs=None, steps_per_generation=1,
                           gradient_accumulation_steps=1, delta=settings.pop("delta", None), use_bias_correction_kl=False)
    defaults = {
        "args": args, "accelerator": accelerator(), "model": SimpleNamespace(training=True, is_gradient_checkpointing=False),
        "loss_type": "grpo", "importance_sampling_level": "token", "epsilon_low": 0.2, "epsilon_high": 0.2, "beta": 0.0,
        "max_completion_length": 8, "num_iterations": 1, "num_generations": 2, "scale_rewards": "group",
        "mask_truncated_completions": False, "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None,
        "multi_objective_aggregation": "sum_then_normalize", "current_gradient_accumulation_steps": 1, "use_vllm": False,
        "_entropy_bonus_enabled": False, "use_adaptive_entropy": False, "aux_loss_enabled": False, "ref_model": "one",
        "_get_per_token_logps_and_entropies": lambda *_, **__: (None, None, None),  # `loss` gives log-probabilities
        "environment_factories": None, "environments": None, "tools": None, "pad_to_multiple_of": None,
        "log_multimodal": False, "eos_token_ids": [EOS], "_tokenizer": SimpleNamespace(pad_token_id=PAD),
        "_metrics": {"train": collections.defaultdict(list)},
        "_logs": collections.defaultdict(list, rewards=collections.defaultdict(list), extra=collections.defaultdict(list)),
        "_pending_extra_logs": {}, "_pending_metrics": {}, "reward_func_names": ["reward"],
        "reward_weights": torch.ones(1, dtype=torch.float64), "reward_funcs": [None],
    }
    return SimpleNamespace(**{**defaults, **settings})


def scored_batch(trainer, rewards, lengths, truncated):
    """TRL's training inputs (masks, advantages, token count) of completions that got these rewards."""
    completions = [[OTHER] * (length - 1) + [OTHER if cut else EOS] for length, cut in zip(lengths, truncated)]
    count = len(completions)
    trainer._generate = lambda prompts: ([[OTHER]] * count, completions, None, [""] * count, None, {}, None, None)
    trainer._calculate_rewards = lambda *_: torch.tensor(rewards, dtype=torch.float64).unsqueeze(1)
    return GRPOTrainer._generate_and_score_completions(trainer, [{"prompt": ""}] * count)


def advantages(rewards, group_size, scale):
    """A reward that is NaN is one that no reward function gave."""
    trainer = stand_in(num_generations=group_size, scale_rewards=scale)
    return scored_batch(trainer, rewards, [1] * len(rewards), [False] * len(rewards))["advantages"]


def padded(rows, width):
    """Ragged rows as one tensor; what is behind a row's end is masked and must not matter."""
    filled = [row + [row[-1]] * (width - len(row)) for row in rows]
    return torch.tensor(filled, dtype=torch.float64)


def loss(trainer, inputs, logits, targets, temperature, old=None, ref=None, given=None):
    """The loss of one batch, its gradients and its metrics.

    logits [row][token][vocabulary], targets, old and ref [row][token]: ragged. Gradients come back ragged too. With `given`
    the loss sees these log-probabilities, rounded elsewhere, and the gradient still flows to the logits.
    """
    lengths = [len(row) for row in targets]
    width = inputs["completion_mask"].size(1)
    free = torch.tensor([row + [row[-1]] * (width - len(row)) for row in logits], dtype=torch.float64, requires_grad=True)
    distribution = torch.log_softmax(free / temperature, dim=-1)
    logprobs = distribution.gather(-1, padded(targets, width).long().unsqueeze(-1)).squeeze(-1)
    if given is not None:
        logprobs = padded(given, width) + (logprobs - logprobs.detach())
    logprobs.retain_grad()
    entropies = -(distribution.exp() * distribution).sum(-1)
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (logprobs, entropies.detach(), None)
    inputs = dict(inputs)
    if old is not None:
        inputs["old_per_token_logps"] = padded(old, width)
    if ref is not None:
        inputs["ref_per_token_logps"] = padded(ref, width)
    value = GRPOTrainer._compute_loss(trainer, None, inputs)
    value.backward()
    metrics = {key: values[-1] for key, values in trainer._metrics["train"].items()}
    return SimpleNamespace(loss=value.item(), metrics=metrics,
                           logprobs=[row[:n].tolist() for row, n in zip(logprobs.detach(), lengths)],
                           gradient=[row[:n].tolist() for row, n in zip(logprobs.grad, lengths)],
                           logit_gradient=[row[:n].tolist() for row, n in zip(free.grad, lengths)])
