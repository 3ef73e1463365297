"""Where tokens and patches stand: M-RoPE, window order, rotary positions of the vision tower."""
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as reference

from frame import Case, row

IMAGE, START, END, TEXT = 11, 12, 13, 7


def small_model(window=112):
    """The model's position functions only need its configuration; on the meta device it takes no memory."""
    config = Qwen2_5_VLConfig(
        text_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "vocab_size": 32, "bos_token_id": None, "eos_token_id": None},
        vision_config={"depth": 1, "hidden_size": 32, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16,
                       "window_size": window},
        image_token_id=IMAGE, vision_start_token_id=START, vision_end_token_id=END, video_token_id=14)
    with torch.device("meta"):
        return Qwen2_5_VLModel(config)


def draw_grid(random):
    """Rows and columns of patches: thin ones, and around the edges of 8 x 8 windows."""
    side = lambda: 2 * random.choice([1, 2, 3, 4, 5, 7, 8, 9, random.randint(1, 40)])
    return side(), side()


def draw_tokens(random, grids):
    """Ids with text around the images, and where each image begins (its merged rows and columns behind)."""
    ids, images = [], []
    for rows, columns in grids:
        ids += [TEXT] * random.choice([0, 1, 5, random.randint(0, 40)]) + [START]
        images.append([len(ids), rows // 2, columns // 2])
        ids += [IMAGE] * (rows * columns // 4) + [END]
    return ids + [TEXT] * random.randint(0 if ids else 1, 20), images


def token_reference(model, ids, grids):
    """The reference's t, h and w of all tokens, and the position behind them."""
    kinds = torch.tensor([[int(token == IMAGE) for token in ids]])
    positions, delta = model.get_rope_index(
        torch.tensor([ids]), mm_token_type_ids=kinds,
        image_grid_thw=torch.tensor([[1, *grid] for grid in grids]) if grids else None, attention_mask=torch.ones(1, len(ids)))
    return positions.reshape(-1).long().tolist(), len(ids) + int(delta)


def patch_reference(window, grids):
    """The reference's window order, the patches' positions in that order, and where windows and frames end."""
    model = small_model(window).visual
    thw = torch.tensor([[1, *grid] for grid in grids])
    order, window_ends = reference.get_vision_window_index(
        thw, spatial_merge_size=model.spatial_merge_size, window_size=window, patch_size=model.patch_size, kwargs={})
    places = reference.get_vision_position_ids(thw, model.spatial_merge_size, kwargs={})
    places = places.reshape(len(order), -1, 2)[order].reshape(-1, 2)
    frame_ends, _ = reference.get_vision_attention_seqlens(thw, model.config, kwargs={})
    values = {"window_index": order, "rows": places[:, 0], "columns": places[:, 1],
              "window_ends": torch.unique_consecutive(window_ends)[1:], "frame_ends": frame_ends[1:]}
    return {name: value.tolist() for name, value in values.items()}


@row("M-RoPE positions", "Qwen2_5_VLModel.get_rope_index", bar=0, cases=200, unit="positions")
def token_positions(context):
    model = small_model()
    for _ in range(context.cases):
        grids = [draw_grid(context.random) for _ in range(context.random.randint(0, 4))]
        ids, images = draw_tokens(context.random, grids)
        answer, = context.filter("judo_parity", "token-positions", requests=[{"num_tokens": len(ids), "images": images}])
        expected, following = token_reference(model, ids, grids)
        wrong = sum(a != b for a, b in zip(answer["positions"], expected, strict=True)) + (answer["next"] != following)
        yield Case(f"{len(ids)} tokens, images {grids}", wrong, items=3 * len(ids))


@row("window order, spans, patch positions", "get_vision_window_index, .._position_ids, .._attention_seqlens", bar=0, cases=200, unit="positions")
def patch_positions(context):
    for _ in range(context.cases):
        grids = [draw_grid(context.random) for _ in range(context.random.randint(1, 5))]
        window = context.random.choice([112, 112, 56, 84, 224])
        answer, = context.filter("judo_parity", "patch-positions", requests=[{"images": grids, "window": window}])
        expected = patch_reference(window, grids)
        wrong = sum(answer[name] != values for name, values in expected.items())
        yield Case(f"window {window}, images {grids}", wrong, items=2 * len(expected["rows"]))
