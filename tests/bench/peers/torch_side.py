"""The reference's side of training: a Transformers model, its inputs and the parts of a step."""
import contextlib
import time

import torch
from PIL import Image
from transformers import AutoImageProcessor, Qwen2_5_VLForConditionalGeneration

import frame

torch.set_num_threads(frame.THREADS)
IGNORED = -100
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def load(folder, dtype=torch.float32):
    """The model of a folder, ready to train."""
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").train()


def autocast(dtype):
    """bf16 as trainers do it: fp32 weights, products in bf16."""
    return torch.autocast("cpu", torch.bfloat16) if dtype == "bf16" else contextlib.nullcontext()


def inputs(folder, sequences, pad=0):
    """One padded batch of sequences, with labels, as a collator makes it."""
    longest = max(len(sequence["tokens"]) for sequence in sequences)
    ids = torch.full((len(sequences), longest), pad)
    labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        tokens, first = torch.tensor(sequence["tokens"]), sequence["first_target"]
        ids[row, :len(tokens)], mask[row, :len(tokens)], labels[row, first:len(tokens)] = tokens, 1, tokens[first:]
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    images = [Image.open(path).convert("RGB") for sequence in sequences for path in sequence.get("images", [])]
    if images:
        batch.update(AutoImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt"))
        image_token = Qwen2_5_VLForConditionalGeneration.config_class.from_pretrained(folder).image_token_id
        batch["mm_token_type_ids"] = (ids == image_token).int()
    return batch


class Trainer:
    """Steps on fixed batches: forward, backward, clip and AdamW (torch's fused one)."""

    def __init__(self, folder, batches, dtype, learning_rate=1e-5):
        self.model, self.batches, self.dtype = load(folder), batches, dtype
        self.targets = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=learning_rate, weight_decay=0.0, fused=True)

    def loss(self, batch):
        with autocast(self.dtype):
            return self.model(**batch, use_cache=False, num_items_in_batch=self.targets).loss

    def forward(self):
        with torch.no_grad():
            return sum(float(self.loss(batch)) for batch in self.batches)

    def forward_backward(self):
        for batch in self.batches:
            self.loss(batch).backward()

    def update(self):
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        self.optimizer.step()

    def measure(self):
        """One forward pass without gradients, then one step."""
        times = [time.perf_counter()]
        outcome = self.forward()
        times.append(time.perf_counter())
        self.optimizer.zero_grad(set_to_none=True)
        self.forward_backward()
        times.append(time.perf_counter())
        self.update()
        times.append(time.perf_counter())
        forward, both, update = (b - a for a, b in zip(times, times[1:]))
        return {"forward": forward, "backward": both - forward, "update": update, "step": both + update, "outcome": outcome}
