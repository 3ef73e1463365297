"""Small random Qwen2.5-VL models of odd shapes, as hub directories with the same model in Transformers."""
import json
import math
import pathlib
from dataclasses import dataclass

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.utils import logging

logging.disable_progress_bar()
SPECIALS = ["image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "bos_token_id", "eos_token_id"]


@dataclass
class SmallModel:
    name: str  # its shape in words
    config: dict
    folder: pathlib.Path
    model: Qwen2_5_VLForConditionalGeneration
    schedule: str = ""  # of a training run
    settings: dict | None = None

    @property
    def cell(self):
        """Pixels along one side of a merged visual token."""
        return self.config["vision_config"]["patch_size"] * self.config["vision_config"]["spatial_merge_size"]


def split_in_three(random, total):
    first, second = sorted(random.randint(0, total) for _ in range(2))
    return [first, second - first, total - second]


def draw_vision(random, width):
    patch, merge, depth = random.choice([2, 3, 4, 7, 14]), random.choice([1, 2, 2, 2, 3]), random.randint(1, 4)
    heads, head = random.choice([(1, 16), (1, 32), (2, 8), (2, 20), (3, 12), (4, 4), (4, 16), (5, 8)])
    return {
        "model_type": "qwen2_5_vl", "depth": depth, "hidden_size": heads * head,
        "intermediate_size": random.randint(5, 70), "num_heads": heads, "hidden_act": "silu", "in_channels": 3, "patch_size": patch,
        "temporal_patch_size": 2, "spatial_merge_size": merge, "window_size": patch * merge * random.choice([1, 2, 3, 4]),
        "out_hidden_size": width, "tokens_per_second": 2,
        "fullatt_block_indexes": sorted(random.sample(range(depth), random.randint(0, depth)))}


def draw_config(random):
    """Group sizes, head dimensions, depths and vocabularies that are no round numbers; ties and rotary splits of all kinds."""
    while True:
        key_heads, group, head = random.choice([1, 1, 2, 3]), random.choice([1, 2, 3, 4, 7]), random.choice([4, 8, 10, 16, 24, 32, 64])
        if 16 <= key_heads * group * head <= 256:
            break
    width, vocab = key_heads * group * head, random.randint(30, 700)
    config = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", "vocab_size": vocab, "hidden_size": width,
        "intermediate_size": random.randint(7, 200), "num_hidden_layers": random.randint(1, 4), "num_attention_heads": key_heads * group,
        "num_key_value_heads": key_heads, "hidden_act": "silu", "rms_norm_eps": random.choice([1e-6, 1e-5]),
        "max_position_embeddings": 4096, "rope_theta": 10 ** random.uniform(1, 6), "use_sliding_window": False, "sliding_window": 32,
        "max_window_layers": 1, "attention_dropout": 0.0, "initializer_range": 0.02, "tie_word_embeddings": random.random() < 0.5,
        "rope_scaling": {"type": "mrope", "mrope_section": split_in_three(random, head // 2)}, "torch_dtype": "float32",
        "vision_config": draw_vision(random, width)}
    config.update(zip(SPECIALS, random.sample(range(vocab), len(SPECIALS))))
    return config


def hub_name(name):
    """The name in files of a parameter's name in memory."""
    if name.startswith("model.language_model."):
        return "model." + name[len("model.language_model."):]
    return name.removeprefix("model.") if name.startswith("model.visual.") else name


def fill_weights(model, random):
    """Larger than usual, so that every path matters, norms away from one, and logits of ordinary size."""
    generator = torch.Generator().manual_seed(random.getrandbits(40))
    gain = random.choice([1.0, 2.0])
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if weight.dim() == 1:
            weight.data = float("norm" in name or "ln_q" in name) + 0.2 * noise
        else:
            weight.data = noise * math.sqrt((gain if "lm_head" in name or "embed" in name else 1.0) / weight[0].numel())


def words(config):
    vision = config["vision_config"]
    return (f"{config['num_hidden_layers']} blocks of {config['num_attention_heads']}:{config['num_key_value_heads']} heads of "
            f"{config['hidden_size'] // config['num_attention_heads']}, {'tied' if config['tie_word_embeddings'] else 'untied'}, tower of "
            f"{vision['depth']} with patches of {vision['patch_size']} merged by {vision['spatial_merge_size']}, windows of "
            f"{vision['window_size']}")


def draw_model(random, folder, config=None):
    """A model directory in `folder`, in the hub's old form or as this version of Transformers saves it."""
    config = config or draw_config(random)
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**json.loads(json.dumps(config)))).float().eval()
    model.set_attn_implementation("eager")
    fill_weights(model, random)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    if random.random() < 0.3:
        model.save_pretrained(folder)
    else:
        (folder / "config.json").write_text(json.dumps(config, indent=1))
        state = {hub_name(name): weight.detach().clone().contiguous() for name, weight in model.named_parameters()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return SmallModel(words(config), config, folder, model)
