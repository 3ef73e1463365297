"""The published tokenizers as the reference libraries read them, and model folders with the same files for judo."""
import json

from tokenizers import AddedToken
from transformers import BertTokenizer, Qwen2_5_VLProcessor, Qwen2Tokenizer, Qwen2VLVideoProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

# Added tokens of Qwen2.5 without the special flag: they are found, but are text.
PLAIN_ADDED = {"<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
               "<|repo_name|>", "<|file_sep|>"}

# chat_template.json of Qwen2.5-VL (Apache-2.0)
CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def qwen_tokenizer(context):
    """Qwen2.5's tokenizer, made by Transformers from the published vocabulary, merges and added tokens."""
    source = context.real_file("tokenizer/qwen2")
    vocabulary = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    lines = (source / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges)
    added = json.loads((source / "added_tokens_qwen2_5.json").read_text(encoding="utf-8"))
    for content, number in sorted(added.items(), key=lambda item: item[1]):
        tokenizer.add_tokens(AddedToken(content, normalized=False, special=content not in PLAIN_ADDED))
        if tokenizer.convert_tokens_to_ids(content) != number:
            raise RuntimeError(f"{content} got id {tokenizer.convert_tokens_to_ids(content)}, not {number}")
    return tokenizer


def qwen_folder(context, tokenizer, layout="tokenizer.json"):
    """A model folder with the tokenizer in one of the two layouts that the hub knows, and Qwen2.5-VL's image processor."""
    folder = context.folder / f"model {layout}"
    folder.mkdir()
    if layout == "tokenizer.json":
        tokenizer.save_pretrained(folder)
    else:
        source = context.real_file("tokenizer/qwen2")
        for name in ("vocab.json", "merges.txt"):
            (folder / name).symlink_to((source / name).resolve())
        decoder = {number: {"content": token.content, "lstrip": False, "normalized": False, "rstrip": False,
                            "single_word": False, "special": token.special}
                   for number, token in tokenizer.added_tokens_decoder.items()}
        (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14,
        "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]}), encoding="utf-8")
    return folder


def qwen_processor(tokenizer):
    """Qwen2.5-VL's processor with the Pillow image processor and the published chat template."""
    images = Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12845056)
    return Qwen2_5_VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=Qwen2VLVideoProcessor(),
                               chat_template=CHAT_TEMPLATE)


def bert_tokenizer(context):
    """BERT's uncased tokenizer (all-MiniLM-L6-v2 has the same vocabulary)."""
    lines = context.real_file("tokenizer/bert/vocab.txt").read_text(encoding="utf-8").split("\n")
    return BertTokenizer(vocab={token: number for number, token in enumerate(lines) if token}, do_lower_case=True)
