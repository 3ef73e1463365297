"""Tokenizing about 1 MB of text with Qwen2.5's tokenizer: as one text, and as some thousand texts on two threads."""
import json
import shutil
import time

import fixtures
from frame import Race, THREADS

BYTES = 1 << 20


def strings(node):
    """All strings of a JSON value."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, (list, dict)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from strings(child)


def real_texts(context):
    """Questions, answers and rationales of the reference project, repeated to the wanted length."""
    found, size = [], 0
    lines = [line for name in ("grpo_gt", "domain_qa_goods", "realiad_samples_gt")
             for line in context.real_file(f"judo/{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [text for line in lines for text in strings(json.loads(line)) if len(text) > 40]
    while size < BYTES:
        for text in texts:
            if size < BYTES:
                found.append(f"{text} ({len(found)})\n")
                size += len(found[-1].encode())
    return found


def tokenizer_folder(context):
    """Qwen2.5's tokenizer as a folder that both sides read."""
    folder = context.folder / "qwen2"
    if not folder.exists():
        source = context.real_file("tokenizer/qwen2")
        folder.mkdir()
        shutil.copy(source / "vocab.json", folder)
        shutil.copy(source / "merges.txt", folder)
        shutil.copy(source / "added_tokens_qwen2_5.json", folder / "added_tokens.json")
    return folder


def races(context):
    from transformers import Qwen2TokenizerFast
    folder, texts = tokenizer_folder(context), real_texts(context)
    added = json.loads((folder / "added_tokens.json").read_text(encoding="utf-8"))
    wrapper = Qwen2TokenizerFast.from_pretrained(folder)
    wrapper.add_special_tokens({"additional_special_tokens": list(added)})
    inner, whole = wrapper.backend_tokenizer, "".join(texts)
    path = fixtures.write_lines(context.folder / "tokens.jsonl", [{"text": text} for text in texts])

    def measure():
        begin = time.perf_counter()
        single = inner.encode(whole, add_special_tokens=False)
        middle = time.perf_counter()
        batch = inner.encode_batch_fast(texts, add_special_tokens=False)
        end = time.perf_counter()
        return {"single": middle - begin, "batch": end - middle, "outcome": [len(single.ids), sum(len(row.ids) for row in batch)]}

    yield Race(f"tokenize {BYTES >> 20} MB, {len(texts)} texts", "-", {"single": 1, "batch": 1},
               context.serve("tokenize", folder, path, "--threads", THREADS), {"tokenizers": measure},
               lambda own, other: f"ids {own} and {other}")
