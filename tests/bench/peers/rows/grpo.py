"""A GRPO step: 8 prompts with two pictures each, 16 completions of each; TRL's GRPOTrainer against judo_stage3."""
import json
import shutil
import statistics
import time

import fixtures
from frame import Race, THREADS, Unavailable

GROUP = 16
NEW_TOKENS = 64
STEPS = 3  # of one run of judo_stage3; its first is not counted
MICRO_BATCH = 16  # of TRL: sequences in one pass, which is what its memory allows


def stage3(context, dtype):
    """A function that runs judo_stage3 and gives its step time."""
    model, (data, _) = fixtures.small_vlm(context), fixtures.packed(context, 3)
    if dtype == "bf16" and "model.dtype" not in context.run("judo_stage3", "--help"):
        raise Unavailable("judo_stage3 has no model.dtype")

    def measure():
        run = context.folder / "stage3_run"
        context.run("judo_stage3", f"model.path={model}", f"data.path={data}", f"run.folder={run}", "run.resume=never", "run.save_every=0",
                    "run.tensorboard=false", "run.log_every=0", "data.prompts=compact", "model.activation_checkpointing=none",
                    f"train.max_steps={STEPS}", "train.max_tokens=4096", "train.max_patches=4096", "optimizer.learning_rate=1e-6",
                    f"grpo.prompts_per_step={fixtures.SAMPLES}", f"grpo.group_size={GROUP}", f"grpo.max_new_tokens={NEW_TOKENS}",
                    "grpo.temperature=0.8", "grpo.top_k=50", "grpo.top_p=0.95", "grpo.kl_beta=0.04",
                    *(["model.dtype=bf16"] if dtype == "bf16" else []))
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        shutil.rmtree(run)
        return {"step": statistics.median(row["step_time"] for row in rows[1:]), "outcome": rows[0]["completions/mean_length"]}
    return measure


def prompts(context, processor):
    """judo's prompts as TRL takes them: conversations and pictures. The tokens must come out the same."""
    from PIL import Image
    found = []
    for sequence in fixtures.sequences(context, 3, False):
        messages = fixtures.chat(sequence["tokens"], processor.tokenizer)
        images = [Image.open(path).convert("RGB") for path in sequence["images"]]
        rendered = processor(text=[processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)], images=images)
        if list(rendered["input_ids"][0]) != sequence["tokens"]:
            raise RuntimeError("the processor makes other tokens of a prompt than judo")
        found.append({"prompt": messages, "images": images})
    return found


def trl_step(context, dtype, rows, processor):
    """A GRPOTrainer with the same settings; all prompts make one step."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer
    torch.set_num_threads(THREADS)
    completions, lengths = len(rows) * GROUP, []

    class Clock(TrainerCallback):
        """Times a step from its first micro-batch to behind the update."""
        begin = end = 0.0

        def on_step_begin(self, *arguments, **more):  # pylint: disable=unused-argument
            self.begin = time.perf_counter()

        def on_step_end(self, *arguments, **more):  # pylint: disable=unused-argument
            self.end = time.perf_counter()

    def reward(completion_ids, **more):  # pylint: disable=unused-argument
        lengths[:] = [len(ids) for ids in completion_ids]
        return [float(sum(ids) % 7) for ids in completion_ids]

    clock = Clock()
    config = GRPOConfig(
        output_dir=str(context.folder / "trl"), use_cpu=True, bf16=dtype == "bf16", fp16=False, per_device_train_batch_size=MICRO_BATCH,
        gradient_accumulation_steps=completions // MICRO_BATCH, steps_per_generation=completions // MICRO_BATCH, num_generations=GROUP,
        max_completion_length=NEW_TOKENS, temperature=0.8, top_k=50, top_p=0.95, beta=0.04, loss_type="grpo", learning_rate=1e-6,
        gradient_checkpointing=False, max_steps=1, save_strategy="no", report_to="none", logging_strategy="no", disable_tqdm=True,
        dataloader_pin_memory=False, model_init_kwargs={"dtype": "float32"}, optim="adamw_torch_fused", shuffle_dataset=False)
    trainer = GRPOTrainer(model=str(fixtures.small_vlm(context)), args=config, train_dataset=Dataset.from_list(rows),
                          processing_class=processor, callbacks=[clock], reward_funcs=reward)
    trainer.remove_callback(PrinterCallback)

    def measure():
        trainer.train()
        return {"step": clock.end - clock.begin, "outcome": sum(lengths) / len(lengths)}
    return measure


def races(context):
    from transformers import AutoProcessor
    processor = AutoProcessor.from_pretrained(fixtures.small_vlm(context))
    processor.tokenizer.padding_side = "left"
    processor.chat_template = processor.tokenizer.chat_template = fixtures.CHAT_TEMPLATE
    rows = prompts(context, processor)
    for dtype in context.dtypes:
        yield Race(f"GRPO, {len(rows)} prompts x {GROUP} completions of at most {NEW_TOKENS} tokens (judo_stage3)", dtype, {"step": 8},
                   stage3(context, dtype), {f"TRL, micro-batch {MICRO_BATCH}": trl_step(context, dtype, rows, processor)},
                   lambda own, other: f"mean length {own:.1f} and {other:.1f}", repeat=1)
