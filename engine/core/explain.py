"""Where a network looks: takes a network and images, gives one map per image, and pictures of them.

A tiny_vit gives attention received: the softmax weight that a token of one block gets, summed over heads and queries,
over what it would get if every query spread itself evenly over the keys that it can see. So a token that many queries
see (a global one, one in the middle of a window) stands out only where the network prefers it; a network without
preferences gives flat maps under every mask. The weights are those of the reference formula on the block's own input,
whatever backend made the output. A timm network, whose attention cannot be read from outside, gives the energy of its
last features instead: the L2 norm over channels at each place. Neither needs gradients. `method` says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.tiny_vit import Block, TinyViT
from engine.errors import JobError

LEAST_SIDE = 168
"""Pictures are enlarged by a whole factor until they are at least this wide, in pixels."""

LINE_SHARE = 96
"""The side of a picture over the width of a line: it is still seen when a page shows the picture at half its size."""

TINY = 1e-12  # for padding, which no query sees
FLATNESS = 1e-3
"""A colour scale spans at least this share of its highest value: what rounding leaves of a flat map is no picture."""

Colours = NDArray[np.uint8]  # (256, 3): the colour of each level, from least to most


@dataclass(frozen=True)
class AttentionMaps:
    """`values` (B, H, W) float32, not negative; `method` is received_attention or feature_energy."""

    values: Tensor
    method: str
    layer: str


class MapUndefined(JobError):
    """A kind of map that a network has not; `what` says why, as a page tells it."""


def attention_maps(network: nn.Module, images: Tensor, stage: int = 2) -> AttentionMaps:
    """Return a map per normalised image (B, 3, S, S): of the last block of `stage` for a tiny_vit.

    Each map of received attention sums to 1. Raises JobError for a timm network without a spatial feature map.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            if isinstance(network, TinyViT) and network.shows_attention(stage):
                return received_maps(network, images, stage)
            return energy_maps(network, images)
    finally:
        network.train(was_training)


def energy_maps(network: nn.Module, images: Tensor) -> AttentionMaps:
    """Return the L2 norm over channels of the last features, for any network that has a map of them."""
    if isinstance(network, TinyViT):
        features = network.stages(network.patch_embed(images))
        return AttentionMaps(features.norm(dim=1).float().cpu(), "feature_energy", "stages.3")
    if hasattr(network, "forward_features"):
        return AttentionMaps(feature_energy(network, images), "feature_energy", "forward_features")
    return _hooked_energy(network, images)


def _hooked_energy(network: nn.Module, images: Tensor) -> AttentionMaps:
    """Of somebody's own network: of the last layer whose output (B, C, H, W) is a map of several places."""
    seen: dict[str, Tensor] = {}

    def record(name: str) -> Any:
        def hook(_: nn.Module, __: Any, out: object) -> None:
            if isinstance(out, Tensor) and out.ndim == 4 and min(out.shape[2:]) > 1:
                seen.pop(name, None)
                seen[name] = out

        return hook

    hooks = [layer.register_forward_hook(record(name)) for name, layer in network.named_modules()]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise MapUndefined(f"no layer of {type(network).__name__} gives a map (B, C, H, W) to look at")
    name, features = next(reversed(seen.items()))
    return AttentionMaps(features.norm(dim=1).float().cpu(), "feature_energy", name)


def refuse_own_attention(network: TinyViT, stage: int) -> None:
    """Raise MapUndefined where a stage's attention is somebody's own, whose weights nobody can read."""
    if not network.shows_attention(stage):
        raise MapUndefined("the weights of an attention of one's own cannot be read")


def block_weights(network: TinyViT, images: Tensor) -> dict[str, Tensor]:
    """Return the softmax weights of every block by name, (W, h, N, keys), W windows over all images."""
    modules = dict(network.attention_modules())
    with torch.no_grad():
        return {name: modules[name].probabilities(*asked) for name, asked in block_inputs(network, images).items()}


def block_inputs(network: TinyViT, images: Tensor) -> dict[str, tuple[Any, ...]]:
    """Return what each attention module is called with, by name: tokens, real ones among them, chosen globals."""
    called = record_inputs(network, images, dict(network.attention_modules()))
    return {name: args[:3] for name, args in called.items()}


def record_inputs(network: nn.Module, images: Tensor, modules: Mapping[str, nn.Module]) -> dict[str, tuple[Any, ...]]:
    """Run the network on images without gradients; return what each of its `modules` is called with, by their names."""
    seen: dict[str, tuple[Any, ...]] = {}

    def record(name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            seen[name] = args

        return hook

    hooks = [module.register_forward_pre_hook(record(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def received_maps(network: TinyViT, images: Tensor, stage: int) -> AttentionMaps:
    """Return the attention received in the last block of `stage`, each map summing to 1."""
    name, block = last_block(network, stage)
    asked = block_inputs(network, images)[f"{name}.attn"]
    side = network.shape.stages[stage].side
    maps = over_even(block, block.attn.probabilities(*asked), asked, torch.Size((images.shape[0], side, side, 1)))
    return AttentionMaps(maps, "received_attention", name)


def last_block(network: TinyViT, stage: int) -> tuple[str, Block]:
    """Return the block of a stage whose attention is shown, and its name."""
    name = f"stages.{stage}.blocks.{network.shape.stages[stage].depth - 1}"
    block = network.get_submodule(name)
    assert isinstance(block, Block)
    return name, block


def over_even(block: Block, weights: Tensor, asked: tuple[Any, ...], shape: torch.Size) -> Tensor:
    """Return maps of `shape` (B, H, W, 1) as (B, H, W), each summing to 1: what tokens get over what is even.

    `weights` (W, h, N, keys), not negative, are summed over heads and queries; `asked` is what the attention was given.
    """
    # Padding asks as well, but its answers are thrown away.
    real = block.cut(torch.ones(shape, dtype=torch.float64, device=weights.device))[0]
    got, due = (
        (token_weights(block, one.double(), asked[1]).mean(1) * real).sum(1)
        for one in (weights, block.attn.even_weights(*asked))
    )
    maps = block.paste((got / due.clamp_min(TINY)).reshape(-1, block.window**2, 1), shape)[..., 0]
    return (maps / maps.sum((1, 2), keepdim=True).clamp_min(TINY)).float().cpu()


def token_weights(block: Block, weights: Tensor, keep: Tensor | None) -> Tensor:
    """Spread what pooled keys received over the tokens of their cells: (W, h, N, N)."""
    tokens = weights.shape[2]
    if weights.shape[-1] == tokens or not isinstance(block.attn, LongformerAttention):
        return weights
    pool = block.attn.pool_weights(keep, weights.dtype)
    return weights[..., :tokens] + weights[..., tokens:] @ pool[:, None]


def feature_energy(network: nn.Module, images: Tensor) -> Tensor:
    """Return the L2 norm over channels of the last features of a timm network, (B, H, W)."""
    extract: Any = getattr(network, "forward_features", None)
    features = extract(images) if extract else None
    if not isinstance(features, Tensor) or features.ndim not in (3, 4):
        raise JobError(f"a {type(network).__name__} gives no feature map to look at", fix="leave explain away for it")
    if features.ndim == 4:
        energy: Tensor = features.norm(dim=-1 if has_channels_last(features) else 1)
        return energy.float().cpu()
    tokens: Tensor = features[:, getattr(network, "num_prefix_tokens", 0) :]
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1]:
        raise JobError(f"the {tokens.shape[1]} tokens of a {type(network).__name__} form no square map")
    energy = tokens.norm(dim=-1)
    return energy.view(-1, side, side).float().cpu()


def has_channels_last(features: Tensor) -> bool:
    """Whether features (B, ., ., .) have their channels last, as Swin's: a square map gives it away."""
    return features.shape[1] == features.shape[2] and features.shape[3] != features.shape[2]


def save_maps(
    maps: AttentionMaps,
    pictures: Tensor,
    folder: Path,
    names: list[str],
    colours: Colours,
    objects: NDArray[np.bool_] | None = None,
) -> list[Path]:
    """Write `maps.npz` (raw values, names, method) and one PNG per image: the picture, then the map laid over it.

    `pictures` are uint8 (B, 3, S, S), and `objects` (B, S, S) the pixels that get an outline. All images of one call
    share one colour scale. Returns the PNG paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = maps.values.numpy()
    np.savez(folder / "maps.npz", values=values, names=np.array(names), method=maps.method, layer=maps.layer)
    low, high = float(values.min()), float(values.max())
    paths = []
    for number, picture in enumerate(pictures):
        level = (maps.values[number] - low) / max(high - low, FLATNESS * high, TINY)
        path = folder / f"map_{number:03d}.png"
        _overlay(picture, level, colours, None if objects is None else objects[number]).save(path)
        paths.append(path)
    return paths


def _overlay(
    picture: Tensor, level: Tensor, colours: Colours, marked: NDArray[np.bool_] | None, share: float = 0.55
) -> Image.Image:
    """Lay the coloured map (values 0..1) over the picture; the plain picture stands on the left."""
    side = picture.shape[-1]
    wide = F.interpolate(level[None, None], size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    plain = picture.permute(1, 2, 0).numpy().astype(np.float64)
    drawn = colours[(wide.numpy() * (len(colours) - 1)).round().astype(np.intp)]
    mixed = (1 - share) * plain + share * drawn.astype(np.float64)
    both = np.concatenate([plain, mixed], axis=1).round().clip(0, 255).astype(np.uint8)
    factor = max(1, -(-LEAST_SIDE // side))
    large = both.repeat(factor, axis=0).repeat(factor, axis=1)
    if marked is not None:
        outlined = marked.repeat(factor, axis=0).repeat(factor, axis=1)
        for half in np.split(large, 2, axis=1):
            _draw_outline(half, outlined)
    return Image.fromarray(large)


def _draw_outline(picture: NDArray[np.uint8], marked: NDArray[np.bool_]) -> None:
    """Draw a white line inside of what is marked (H, W), and a black one around it: one of them is seen on any ground.

    What is cut off by the edge of a picture has no line there.
    """
    wide = max(1, round(len(marked) / LINE_SHARE))
    picture[marked & _is_near(~marked, wide)] = 255
    picture[~marked & _is_near(marked, wide)] = 0


def _is_near(marked: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the pixels that have a marked one at most `reach` pixels away, in either direction."""
    framed = np.pad(marked, reach)
    down, across = marked.shape
    rows = np.logical_or.reduce([framed[at : at + down] for at in range(2 * reach + 1)])
    return np.asarray(np.logical_or.reduce([rows[:, at : at + across] for at in range(2 * reach + 1)]), dtype=bool)
