"""Writes tests/golden/runtime/hub.safetensors with the safetensors library.

Usage: python safetensors_hub.py OUT_FILE
"""
import sys

import torch
from safetensors.torch import save_file

save_file(
    {
        "a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
        "b.weight": torch.tensor([1.0, -2.5, 3.140625], dtype=torch.bfloat16),
        "c.half": torch.tensor([[0.5], [65504.0]], dtype=torch.float16),
        "d.position_ids": torch.arange(4, dtype=torch.int64),
        "e.empty": torch.zeros((0, 7), dtype=torch.float32),
        "f.scalar": torch.tensor(7.0, dtype=torch.float32),
    },
    sys.argv[1],
    metadata={"format": "pt"},
)
