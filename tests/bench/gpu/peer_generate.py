"""Tokens per second of Transformers' generate on judo's decode row: 32 completions of 2 prompts of 948 tokens, 256 new tokens each,
bf16, prompts included. Prints the rate as its last line."""
import argparse
import statistics
import time

import torch

import peer_shape

TURNS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tiny model: a test of this script")
    options = parser.parse_args()
    prompt, new_tokens, rows = (40, 8, 4) if options.small else (948, 256, 32)
    model = peer_shape.model(small=options.small).eval()
    ids = torch.arange(prompt, device=model.device).mul(7919).remainder(900).repeat(rows, 1)
    times = []
    for _ in range(TURNS + 1):
        peer_shape.finish()
        begin = time.perf_counter()
        with torch.no_grad():
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=0.8, top_k=50, top_p=0.95,
                           max_new_tokens=new_tokens, min_new_tokens=new_tokens, pad_token_id=0, use_cache=True)
        peer_shape.finish()
        times.append(time.perf_counter() - begin)
    print(rows * new_tokens / statistics.median(times[1:]))


if __name__ == "__main__":
    main()
