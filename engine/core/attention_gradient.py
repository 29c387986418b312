"""Gradient-weighted attention: takes a network, images and a class for each, gives maps of what speaks for the class.

Chefer, Gur and Wolf 2021 (Generic attention-model explainability for interpreting bi-modal and encoder-decoder
transformers), equation 5: the weights of a block times the gradient of the class's logit by them, where the product is
positive, mean over heads. What a token gets of it, summed over queries, stands over what even attention would give
it, as for attention received, so that it shows no mask. It is of one block, the one whose attention received is shown:
tokens of a tiny_vit do not stay what they are from stage to stage, so that there is no product over its blocks.

A weight times the gradient by it is the gradient by a gate of one that the weight is multiplied with. The gates sit
behind each softmax of the reference formula, on the block's own input: every pattern, combination and projection has
them, whatever backend made the output. Weights that a query gives one key on two ways (`combine: sum`) count together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from timm.models.vision_transformer import Attention
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.core.explain import AttentionMaps, MapUndefined, last_block, over_even, refuse_own_attention
from engine.core.network.attention import Attended, LongformerAttention
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.window import WindowAttention
from engine.core.vit_attention import is_plain, patch_map

METHOD = "attention_gradient"


def gradient_maps(network: nn.Module, images: Tensor, classes: Tensor, stage: int = 2) -> AttentionMaps:
    """Return a map (B, H, W), summing to 1 or all zero, of each normalised image (B, 3, S, S) for its class (B,).

    Raises MapUndefined for a network whose attention cannot be read, or does not reach the answer.
    """
    was_training = network.training
    network.eval()
    try:
        if isinstance(network, TinyViT):
            return _stage_maps(network, images, classes, stage)
        if not is_plain(network):
            raise MapUndefined(f"xp cannot read the attention of {type(network).__name__}")
        return _transformer_maps(network, images, classes)
    finally:
        network.train(was_training)


def _stage_maps(network: TinyViT, images: Tensor, classes: Tensor, stage: int) -> AttentionMaps:
    refuse_own_attention(network, stage)
    (name, block), side = last_block(network, stage), network.shape.stages[stage].side
    asked, slopes = output_slopes(network, block.attn, images, classes)
    gains = weight_gains(block.attn, asked, slopes).relu()
    maps = over_even(block, gains, asked, torch.Size((images.shape[0], side, side, 1)))
    return AttentionMaps(maps, METHOD, name)


def _transformer_maps(network: nn.Module, images: Tensor, classes: Tensor) -> AttentionMaps:
    blocks: Any = network.blocks
    asked, slopes = output_slopes(network, blocks[-1].attn, images, classes)
    gains = weight_gains(blocks[-1].attn, asked, slopes).relu()
    return AttentionMaps(patch_map(network, gains.double().mean((1, 2))), METHOD, f"blocks.{len(blocks) - 1}")


def output_slopes(
    network: nn.Module, attention: nn.Module, images: Tensor, classes: Tensor
) -> tuple[tuple[Any, ...], Tensor]:
    """Return what an attention is given, and the gradient of the classes' logits by its output (W, N, C)."""
    seen: list[tuple[tuple[Any, ...], Tensor]] = []

    def keep(_: nn.Module, args: tuple[Any, ...], out: Tensor | Attended) -> None:
        seen.append((args[:3], out.out if isinstance(out, Attended) else out))

    hook = attention.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images.detach().clone().requires_grad_())
            score = logits.gather(1, classes.to(logits.device)[:, None]).sum()
            ((args, out),) = seen
            (slopes,) = torch.autograd.grad(score, out)
    finally:
        hook.remove()
    if not slopes.any():
        raise MapUndefined(f"the answer of {type(network).__name__} does not depend on its last attention")
    return tuple(one.detach() if isinstance(one, Tensor) else one for one in args), slopes


def weight_gains(attention: nn.Module, asked: tuple[Any, ...], slopes: Tensor) -> Tensor:
    """Return each weight times the gradient by it, (W, h, N, keys), keys as `probabilities` has them."""
    compute = PLAIN[next(kind for kind in PLAIN if isinstance(attention, kind))]
    with torch.enable_grad(), _Gates() as made:
        out = compute(attention, asked)
    gains = torch.autograd.grad(out, made.gates, slopes)
    if isinstance(attention, LongformerAttention) and attention.sparse.has_global_keys_only:
        return torch.cat(gains, -1)
    return torch.stack(gains).sum(0)


class _Gates(TorchFunctionMode):
    """Multiply what each softmax gives with ones, which are kept, in order, so that gradients by them can be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is not Tensor.softmax:
            return out
        self.gates.append(torch.ones_like(out, requires_grad=True))
        return out * self.gates[-1]


def _by_reference(attention: Any, asked: tuple[Any, ...]) -> Tensor:
    out: Tensor = attention.reference(*asked)[0]
    return out


def _unfused(attention: Any, asked: tuple[Any, ...]) -> Tensor:
    """Run timm's attention where its softmax is an operator of its own."""
    was_fused, attention.fused_attn = attention.fused_attn, False
    try:
        out: Tensor = attention(asked[0])
        return out
    finally:
        attention.fused_attn = was_fused


PLAIN: Mapping[type[nn.Module], Callable[[Any, tuple[Any, ...]], Tensor]] = {
    WindowAttention: _by_reference,
    Attention: _unfused,
}
