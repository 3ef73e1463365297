"""What the peers of the GPU table share: the shape of the 7B model's text part in PyTorch, random weights, and its operations."""
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

HIDDEN, FFN, HEADS, KEY_HEADS, HEAD, LAYERS, VOCABULARY = 3584, 18944, 28, 4, 128, 28, 152064


def model(layers=LAYERS, dtype=torch.bfloat16, small=False):
    """Qwen2 of the same shape as judo's text part, on the GPU if there is one; `small` is for a test of the script itself."""
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000} if small else {
        "hidden_size": HIDDEN, "intermediate_size": FFN, "num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS, "vocab_size": VOCABULARY}
    config = Qwen2Config(num_hidden_layers=2 if small else layers, max_position_embeddings=8192, rope_theta=1e6, tie_word_embeddings=False, **sizes)
    config._attn_implementation = "sdpa"  # pylint: disable=protected-access
    torch.manual_seed(1)
    with torch.device(device()):
        previous = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            return Qwen2ForCausalLM(config)
        finally:
            torch.set_default_dtype(previous)


def device():
    return "cuda" if torch.cuda.is_available() else "cpu"


def finish():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def flops(layers, tokens, targets):
    """Of a forward pass over one causal sequence; the formula of shape.c."""
    layer = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KEY_HEADS * HEAD + 3 * HIDDEN * FFN
    return layers * (2 * layer * tokens + 2 * HIDDEN * tokens * tokens) + 2 * targets * HIDDEN * VOCABULARY
