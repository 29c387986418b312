"""Grad-CAM: takes a network, images and a class for each of them, gives maps of where that class is read off.

Selvaraju et al. 2017 (Grad-CAM: visual explanations from deep networks via gradient-based localization), equations 1
and 2: the weight of a channel is the mean over places of the gradient of the class's logit by that channel; a map is
the weighted sum of channels where it is positive. The features are a tiny_vit's output of a stage, the input of the
last attention of a plain vision transformer (its class is read off one token, which the last patches no longer
reach), and the last features of any other network of timm.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.core.explain import AttentionMaps, MapUndefined, has_channels_last
from engine.core.network.tiny_vit import TinyViT
from engine.core.vit_attention import is_plain


def gradcam_maps(network: nn.Module, images: Tensor, classes: Tensor, stage: int = 2) -> AttentionMaps:
    """Return a map (B, H, W), not negative, of each normalised image (B, 3, S, S) for its class (B,).

    Raises MapUndefined for a network without a map of features that its answer depends on.
    """
    was_training = network.training
    network.eval()
    _forget_biases(network)
    try:
        with torch.enable_grad():
            features, logits, layer = _features(network, images.detach().clone().requires_grad_(), stage)
            score = logits.gather(1, classes.to(logits.device)[:, None]).sum()
            (slopes,) = torch.autograd.grad(score, features)
    finally:
        _forget_biases(network)
        network.train(was_training)
    if not slopes.any():
        raise MapUndefined(f"the answer of {type(network).__name__} does not depend on its last map of features")
    values = (slopes.mean((2, 3), keepdim=True) * features.detach()).sum(1).relu()
    return AttentionMaps(values.float().cpu(), "gradcam", layer)


def _forget_biases(network: nn.Module) -> None:
    """timm's own TinyViT keeps a table of biases in eval mode that belongs to the graph of one backward pass."""
    for module in network.modules():
        if isinstance(getattr(module, "attention_bias_cache", None), dict):
            module.attention_bias_cache = {}  # type: ignore[assignment]


def _features(network: nn.Module, images: Tensor, stage: int) -> tuple[Tensor, Tensor, str]:
    """Return features (B, C, H, W) that are part of the graph of the logits, the logits, and the layer's name."""
    if isinstance(network, TinyViT):
        features, logits = _hooked(network, network.stages[stage], images)
        return features, logits, f"stages.{stage}"
    if is_plain(network):
        blocks: Any = network.blocks
        tokens, logits = _hooked(network, blocks[-1].norm1, images, network)
        return tokens, logits, f"blocks.{len(blocks) - 1}.norm1"
    return *_last_features(network, images), "forward_features"


def _hooked(network: nn.Module, layer: nn.Module, images: Tensor, of: Any = None) -> tuple[Tensor, Tensor]:
    """Run the network with the layer's output put through as a map of channels, so that slopes have its shape."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, out: Tensor) -> Tensor:
        if of is None:
            kept.append(out)
            return out
        prefix = int(getattr(of, "num_prefix_tokens", 0))
        kept.append(_as_map(out[:, prefix:]))
        return torch.cat([out[:, :prefix], kept[-1].flatten(2).mT], 1)

    hook = layer.register_forward_hook(keep)
    try:
        logits: Tensor = network(images)
    finally:
        hook.remove()
    return kept[-1], logits


def _last_features(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    body: Any = network
    if not hasattr(body, "forward_features") or not hasattr(body, "forward_head"):
        raise MapUndefined(f"{type(network).__name__} gives no feature map to look at")
    features = body.forward_features(images)
    if not isinstance(features, Tensor) or features.ndim not in (3, 4):
        raise MapUndefined(f"{type(network).__name__} gives no feature map to look at")
    if features.ndim == 3:
        prefix = int(getattr(network, "num_prefix_tokens", 0))
        shown = _as_map(features[:, prefix:])
        back = torch.cat([features[:, :prefix], shown.flatten(2).mT], 1)
    elif has_channels_last(features):
        shown = features.permute(0, 3, 1, 2)
        back = shown.permute(0, 2, 3, 1)
    else:
        shown = back = features
    return shown, body.forward_head(back)


def _as_map(tokens: Tensor) -> Tensor:
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1]:
        raise MapUndefined(f"{tokens.shape[1]} tokens form no square map")
    as_map: Tensor = tokens.mT.reshape(len(tokens), -1, side, side)
    return as_map
