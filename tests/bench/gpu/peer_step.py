"""TFLOP/s of a training step of Transformers on the shape of judo's text row: 32 sequences of 2048 tokens, fp32 weights and
AdamW, products in bf16 (autocast), gradient checkpointing, as many layers as fit. Prints the rate as its last line."""
import argparse
import statistics
import sys
import time

import torch

import peer_shape

SEQUENCES, STEPS = 32, 3


def measure(layers, tokens, small):
    """Seconds of a step: one sequence after the other, clip, fused AdamW."""
    model = peer_shape.model(layers, torch.float32, small).train()
    model.gradient_checkpointing_enable()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    ids = torch.arange(tokens, device=model.device).mul(7919).remainder(900).unsqueeze(0)
    times = []
    for _ in range(STEPS + 1):
        peer_shape.finish()
        begin = time.perf_counter()
        for _ in range(SEQUENCES):
            with torch.autocast(model.device.type, torch.bfloat16):
                loss = model(input_ids=ids, labels=ids, use_cache=False).loss
            (loss / SEQUENCES).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        peer_shape.finish()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tiny model: a test of this script")
    options = parser.parse_args()
    tokens, layers = (64, 2) if options.small else (2048, peer_shape.LAYERS)
    while layers > 0:
        try:
            seconds = measure(layers, tokens, options.small)
            break
        except torch.cuda.OutOfMemoryError:
            layers -= 4
            torch.cuda.empty_cache()
    else:
        sys.exit("not even four layers fit")
    print(f"{layers} layers, {seconds:.4g} s a step", file=sys.stderr)
    print(3 * SEQUENCES * peer_shape.flops(layers, tokens, tokens - 1) / seconds * 1e-12)


if __name__ == "__main__":
    main()
