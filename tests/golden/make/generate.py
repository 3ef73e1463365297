"""Greedy continuations of the small Qwen2.5-VL models, from transformers' generate.

Usage: python generate.py MODELS_DIRECTORY   (torch, transformers and safetensors; CPU, fp32)

For each case that qwen25vl.py made, MODELS_DIRECTORY/CASE/generated.safetensors: `greedy` [96],
and `penalised` [96] with a repetition penalty of 1.3 and the ids 60 to 63 suppressed, fp32. The
prompt is the case's golden token sequence. Fails if two logits ever come so close that rounding
could decide.
"""
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

IMAGE, TOKENS, PENALTY, SUPPRESSED = 60, 96, 1.3, [60, 61, 62, 63]


def continuation(model, inputs, length, **options):
    out = model.generate(**inputs, max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False,
                         output_scores=True, return_dict_in_generate=True, eos_token_id=None,
                         pad_token_id=0, **options)
    margins = [torch.diff(scores[0].topk(2).values).abs().item() for scores in out.scores]
    print("  %s: smallest margin %.2g, %d distinct ids"
          % (options, min(margins), len(set(out.sequences[0, length:].tolist()))))
    assert min(margins) > 1e-4
    return out.sequences[0, length:].float().contiguous()


def make(folder):
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    model.set_attn_implementation("eager")
    golden = load_file(os.path.join(folder, "golden.safetensors"))
    ids = golden["tokens"].long()[None]
    inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
    if "patches" in golden:
        inputs.update(pixel_values=golden["patches"], image_grid_thw=golden["grids"].long(),
                      mm_token_type_ids=(ids == IMAGE).int())
    with torch.no_grad():
        error = (model(**inputs).logits[0] - golden["logits"]).abs().max().item()
    print("%s: logits differ from the golden ones by %.2g" % (folder, error))
    assert error < 1e-4
    save_file(dict(greedy=continuation(model, inputs, ids.shape[1]),
                   penalised=continuation(model, inputs, ids.shape[1], repetition_penalty=PENALTY,
                                          suppress_tokens=SUPPRESSED)),
              os.path.join(folder, "generated.safetensors"))


if __name__ == "__main__":
    for name in sorted(os.listdir(sys.argv[1])):
        make(os.path.join(sys.argv[1], name))
