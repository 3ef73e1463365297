"""Model directories that judo wrote, opened by Transformers."""
import json

import torch
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

from frame import Case, row
from samples import draw_sample, model_inputs, run_judo
from small_model import SmallModel, draw_model, hub_name

COPIED = ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
          "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template.json", "chat_template.jinja"]
SIZES = ["--vocab", "300", "--hidden", "64", "--layers", "2", "--heads", "2", "--kv-heads", "1", "--ffn", "96", "--vision-hidden", "32",
         "--vision-depth", "2", "--vision-heads", "2", "--vision-ffn", "48"]


def open_folder(folder):
    """The model, and how many keys Transformers calls missing, unexpected or of another shape."""
    model, report = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model.eval().set_attn_implementation("eager")
    return model, sum(len(keys) for keys in report.values())


def differing_files(source, target):
    """Files of the source that the copy has not, or not byte for byte."""
    present = [name for name in COPIED if (source / name).exists()]
    return sum(not (target / name).exists() or (source / name).read_bytes() != (target / name).read_bytes() for name in present)


def differing_weights(found, wanted, dtype):
    """Weights that are not the source's, rounded to the saved type."""
    pairs = zip(found.parameters(), wanted.parameters(), strict=True)
    return sum((a != b.to(dtype).float()).sum().item() for a, b in pairs)


def save_again(context, index):
    """A small model written by judo: either type, one file or shards. Gives source, copy and the saved type."""
    small = draw_model(context.random, context.folder / f"model{index}")
    target, bfloat = context.folder / f"copy{index}", index % 2 == 1
    context.filter("judo_parity", "save", requests=[{
        "model": str(small.folder), "output": str(target), "dtype": "BF16" if bfloat else "F32",
        "shard_bytes": context.random.choice([0, 1, 20000, 100000])}])
    return small, target, torch.bfloat16 if bfloat else torch.float32


def make_world(context):
    """A drawn data set, a packed file and a model by `judo init`."""
    world = context.folder / "world"
    context.run("judo", "synth", world, "--train", 1, "--heldout", 1, "--normals", 1, "--pretrain", 0, "--size", 112, "--seed",
                context.random.randint(1, 10 ** 6))
    context.run("judo", "init", context.folder / "made", world / "stage2.jsonl", *SIZES)
    context.run("judo", "pack", context.folder / "data.h5", "--model", context.folder / "made", "--root", world, "--stage2",
                world / "stage2.jsonl")
    return context.folder / "made"


def train_one_step(context, model, dtype):
    """The directory that a stage leaves after one step."""
    config, run = context.folder / "stage2.yaml", context.folder / f"run-{dtype}"
    config.write_text("train: {max_steps: 1, batch_size: 2, max_tokens: 2048, max_patches: 1024}\noptimizer: {learning_rate: 1e-3}\n")
    context.run("judo_stage2", config, f"run.folder={run}", f"model.path={model}", f"data.path={context.folder / 'data.h5'}",
                f"model.save_dtype={dtype}")
    return run / "model"


@row("directory written by judo", "from_pretrained", bar=0, cases=8, unit="differing keys, files and weights")
def directory(context):
    for index in range(context.cases):
        small, target, dtype = save_again(context, index)
        model, keys = open_folder(target)
        shards = len(list(target.glob("*.safetensors")))
        yield Case(f"{dtype}, {shards} files, {small.name}",
                   keys + differing_files(small.folder, target) + differing_weights(model, small.model, dtype), items=len(list(model.parameters())))
    made = make_world(context)
    yield Case("judo init", open_folder(made)[1])
    for dtype in ("f32", "bf16"):
        trained = train_one_step(context, made, dtype)
        yield Case(f"after a step of stage 2, {dtype}", open_folder(trained)[1] + differing_files(made, trained))
        AutoProcessor.from_pretrained(trained)


def judged(context, folder, model, name):
    """The logits of a directory in judo and in Transformers."""
    small = SmallModel(name, json.loads((folder / "config.json").read_text()), folder, model)
    if "text_config" in small.config:
        small.config = {**small.config["text_config"], **small.config}
    sample = draw_sample(small, context.random, 1, most_cells=12)
    found = run_judo(context, small, [sample])["logits"]
    with torch.no_grad():
        wanted = model(**model_inputs(small, sample)).logits[0]
    return Case(name, (found - wanted).abs().max().item(), items=wanted.numel())


@row("logits of such a directory", "from_pretrained", bar=2e-4, cases=4, unit="absolute")
def directory_logits(context):
    for index in range(context.cases):
        small, target, dtype = save_again(context, index)
        yield judged(context, target, open_folder(target)[0], f"{dtype}, {small.name}")
    made = make_world(context)
    for dtype in ("f32", "bf16"):
        trained = train_one_step(context, made, dtype)
        yield judged(context, trained, open_folder(trained)[0], f"after a step of stage 2, {dtype}")


PUBLISHED = {
    "3B": (dict(hidden_size=2048, num_hidden_layers=36, num_attention_heads=16, num_key_value_heads=2, intermediate_size=11008,
                vocab_size=151936, tie_word_embeddings=True, max_window_layers=70), 3754622976, 824),
    "7B": (dict(hidden_size=3584, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4, intermediate_size=18944,
                vocab_size=152064, tie_word_embeddings=False, max_window_layers=28), 8292166656, 729)}


def published_config(sizes):
    vision = dict(depth=32, hidden_act="silu", hidden_size=1280, intermediate_size=3420, num_heads=16, in_chans=3, patch_size=14,
                  temporal_patch_size=2, spatial_merge_size=2, window_size=112, fullatt_block_indexes=[7, 15, 23, 31], tokens_per_second=2,
                  out_hidden_size=sizes["hidden_size"], model_type="qwen2_5_vl")
    return dict(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", hidden_act="silu", rms_norm_eps=1e-6,
                rope_theta=1e6, rope_scaling={"type": "mrope", "mrope_section": [16, 24, 24]}, max_position_embeddings=128000,
                sliding_window=32768, use_sliding_window=False, attention_dropout=0.0, image_token_id=151655, video_token_id=151656,
                vision_start_token_id=151652, vision_end_token_id=151653, bos_token_id=151643, eos_token_id=151645, torch_dtype="bfloat16",
                vision_config=vision, **sizes)


@row("names and shapes of 3B and 7B", "Transformers on the meta device", bar=0, cases=2, unit="tensors")
def published(context):
    for name, (sizes, parameters, tensors) in PUBLISHED.items():
        folder = context.folder / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(published_config(sizes)))
        found = context.filter("judo_parity", "layout", requests=[{"model": str(folder)}])[0]["shapes"]
        with torch.device("meta"):
            config = Qwen2_5_VLForConditionalGeneration.config_class.from_pretrained(folder)
            model = Qwen2_5_VLForConditionalGeneration(config)
        wanted = {hub_name(key): list(weight.shape) for key, weight in model.named_parameters()}
        wrong = sum(found.get(key) != wanted.get(key) for key in found.keys() | wanted.keys())
        total = sum(torch.Size(shape).numel() for shape in found.values())
        yield Case(f"{name}: {total} parameters in {len(found)} tensors", wrong + (total != parameters) + (len(found) != tensors), items=tensors)
