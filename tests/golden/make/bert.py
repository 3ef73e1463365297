"""Sentence embeddings from transformers: a small random BERT, and all-MiniLM-L6-v2.

Usage: python bert.py GOLDEN_DIRECTORY [MINILM_FOLDER]   (torch, transformers, safetensors; CPU)

Writes GOLDEN_DIRECTORY/bert: config.json, model.safetensors (names with "bert.", a pooler and
position_ids, as some files have them) and golden.safetensors; with MINILM_FOLDER (config.json,
model.safetensors, vocab.txt of the real model) also GOLDEN_DIRECTORY/minilm.safetensors. A golden
file has ids (all texts behind one another), offsets [n + 1] and embeddings [n, width], fp32.
"""
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, BertTokenizer

LENGTHS = [1, 2, 5, 17, 40]
TEXTS = [
    "A.",
    "There is a scratch on the upper left of the capsule.",
    "The cable's insulation is cut; two wires are swapped.",
    "Yes, the object has an anomaly: a broken tooth of the zipper at row 3, column 5.",
    "<think> The texture looks regular. </think><answer>A</answer>",
    "Oberfläche mit Kratzern – naïve café, 金属 表面 0.25 mm",
    " ".join("the surface shows no defect at position %d" % i for i in range(60)),
]


def embed(model, ids):
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return torch.nn.functional.normalize(hidden.mean(dim=0), dim=0, eps=1e-12)


def save_golden(model, texts, path):
    offsets = [0]
    for ids in texts:
        offsets.append(offsets[-1] + len(ids))
    golden = dict(ids=torch.tensor(sum(texts, [])).float(), offsets=torch.tensor(offsets).float(),
                  embeddings=torch.stack([embed(model, ids) for ids in texts]))
    save_file(golden, path)


def make_small(folder):
    torch.manual_seed(1)
    config = BertConfig(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                        intermediate_size=40, max_position_embeddings=40, type_vocab_size=2,
                        layer_norm_eps=1e-12)
    model = BertModel(config).eval()
    for name, weight in model.named_parameters():
        norm = "LayerNorm.weight" in name
        weight.data = norm + (0.2 if weight.dim() == 1 else 0.4) * torch.randn_like(weight)
    os.makedirs(folder, exist_ok=True)
    state = {"bert." + k: v.clone().contiguous() for k, v in model.state_dict().items()}
    state["bert.embeddings.position_ids"] = torch.arange(40).reshape(1, 40)
    save_file(state, os.path.join(folder, "model.safetensors"))
    config.architectures = ["BertModel"]
    config.to_json_file(os.path.join(folder, "config.json"))
    texts = [torch.randint(0, 50, (n,)).tolist() for n in LENGTHS]
    save_golden(model, texts, os.path.join(folder, "golden.safetensors"))


def make_minilm(source, path):
    tokenizer = BertTokenizer(os.path.join(source, "vocab.txt"), do_lower_case=True)
    model = BertModel.from_pretrained(source).float().eval()
    texts = [tokenizer(text, truncation=True, max_length=256)["input_ids"] for text in TEXTS]
    save_golden(model, texts, path)


if __name__ == "__main__":
    make_small(os.path.join(sys.argv[1], "bert"))
    if len(sys.argv) > 2:
        make_minilm(sys.argv[2], os.path.join(sys.argv[1], "minilm.safetensors"))
