"""Supervised fine-tuning of a small VLM: the parts of a step, and the step of judo_stage2."""
import json
import statistics
import subprocess

import fixtures
from frame import Race, Unavailable
from rows.train_text import compare_losses

STEPS = 4  # of one run of the program; its first is not counted


def stage2(context, dtype):
    """A function that runs judo_stage2 and gives its step time."""
    model, (data, _) = fixtures.small_vlm(context), fixtures.packed(context, 2)
    if dtype == "bf16" and "model.dtype" not in context.run("judo_stage2", "--help"):
        raise Unavailable("judo_stage2 has no model.dtype")

    def measure():
        run = context.folder / "stage2_run"
        context.run("judo_stage2", f"model.path={model}", f"data.path={data}", f"run.folder={run}", "run.resume=never", "run.save_every=0",
                    "run.tensorboard=false", "run.log_every=0", "data.prompts=compact", "model.activation_checkpointing=none",
                    f"train.max_steps={STEPS}", f"train.batch_size={fixtures.SAMPLES}", f"train.micro_batch={fixtures.SAMPLES}",
                    "train.normalization=token", "train.max_tokens=4096", "train.max_patches=4096", "optimizer.learning_rate=1e-5",
                    *(["model.dtype=bf16"] if dtype == "bf16" else []))
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        subprocess.run(["rm", "-r", run], check=True)
        return {"step": statistics.median(row["step_time"] for row in rows[1:]), "outcome": rows[0]["loss"]}
    return measure


def races(context):
    import torch_side
    folder, sequences = fixtures.small_vlm(context), fixtures.sequences(context, 2, True)
    path = fixtures.write_lines(context.folder / "vlm.jsonl", sequences)
    tokens = sum(len(sequence["tokens"]) for sequence in sequences)
    name = f"small VLM, {len(sequences)} pictures, {tokens} tokens"
    padded = [torch_side.inputs(folder, sequences)]
    single = [torch_side.inputs(folder, [sequence]) for sequence in sequences]
    for dtype in context.dtypes:
        trainers = {"padded batch": torch_side.Trainer(folder, padded, dtype), "one by one": torch_side.Trainer(folder, single, dtype)}
        peers = {variant: trainer.measure for variant, trainer in trainers.items()}
        yield Race(name, dtype, {"forward": 1, "backward": 1, "update": 1},
                   context.serve("train", folder, path, "--micro-batch", len(sequences), "--dtype", dtype), peers, compare_losses)
        trainers = {variant: torch_side.Trainer(folder, trainer.batches, dtype) for variant, trainer in trainers.items()}
        peers = {variant: trainer.measure for variant, trainer in trainers.items()}
        yield Race("SFT (judo_stage2), the same", dtype, {"step": 1.5}, stage2(context, dtype), peers, compare_losses)
