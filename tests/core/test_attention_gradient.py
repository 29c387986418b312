"""Gradient-weighted attention: every weight's gain by hand, slopes by finite differences, maps from their sums."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from engine.core.attention_gradient import gradient_maps, output_slopes, weight_gains
from engine.core.explain import MapUndefined, block_inputs, last_block
from engine.core.network.sparse import SELECTS
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.window import WindowAttention
from engine.spec.patterns import PATTERNS
from tests.core.network.nets import dense, longformer, network, tokens
from tests.core.test_vit_attention import images as small_images
from tests.core.test_vit_attention import vit

CLASSES = torch.tensor([1, 3])
PADDED: dict[str, Any] = {"windows": [7, 4, 4, 4]}  # of 112 px: 7 x 7 places in windows of 4, the last of them padded


def images(size: int = 56) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gains_by_hand(module: Any, asked: tuple[Any, ...], slopes: Any) -> Any:
    """Return weights times slopes, where the slope by a weight is that of the query's output along the key's value."""
    x, keep = asked[:2]
    split = module.split_heads
    weights = module.probabilities(*asked)
    wanted = (slopes @ module.proj.weight).unflatten(2, (module.heads, -1)).transpose(1, 2)
    local = split(module.qkv(module.norm(x)))
    if module.sparse is None:
        return weights * (wanted @ local.v.mT)
    sparse, count = module.sparse, x.shape[1]
    if sparse.has_global_keys_only:
        pooled = module.pool_weights(keep, x.dtype)[:, None] @ local.v
        return weights * (wanted @ torch.cat([local.v, pooled], -2).mT)
    if not sparse.has_global_rows:
        return weights * (wanted @ local.v.mT)
    second = split(module.qkv_global(module.norm(x))) if sparse.has_second_set else local
    by_local, by_second = wanted @ local.v.mT, wanted @ second.v.mT
    if sparse.combine == "joint":
        rows = torch.zeros(len(x), count, dtype=torch.bool).scatter(1, module.choose(*asked).places, True)
        return weights * torch.where(rows[:, None, :, None], by_second, by_local)
    near = module.near.expand(len(x), -1, -1)
    if keep is not None:
        near = (near & keep[:, None, :]) | (torch.eye(count, dtype=torch.bool) & ~keep[:, :, None])
    scores = local.q * module.scale @ local.k.mT + module.attention_biases[:, module.offsets]
    first = scores.masked_fill(~near[:, None], -torch.inf).softmax(-1)
    rest = (2 * weights if sparse.combine == "mean" else weights) - first  # a mean halves both softmaxes
    both = first * by_local + rest * by_second
    return both / 2 if sparse.combine == "mean" else both


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("select", SELECTS)
def test_every_pattern_has_the_gains_worked_out_by_hand(pattern: str, select: str) -> None:
    keep = torch.ones(3, 36, dtype=torch.bool)
    keep[1, 30:] = False
    slopes = torch.randn(3, 36, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for combine, projections in product(("joint", "sum", "mean"), ("dual", "shared")):
        words: dict[str, Any] = {"combine": combine, "projections": projections, "tile": 2, "radius": 1, "globals": 4}
        module = longformer(pattern=pattern, select=select, **words)
        for asked in ((tokens(), None, None), (tokens(), keep, None)):
            gains = weight_gains(module, asked, slopes)
            torch.testing.assert_close(gains, gains_by_hand(module, asked, slopes))
            assert float(gains.abs().max()) > 0


def test_dense_windows_have_the_gains_worked_out_by_hand() -> None:
    module, slopes = dense(), tokens(seed=5)
    asked = (tokens(), torch.arange(36)[None].expand(3, -1) < 30)
    gains = weight_gains(module, asked, slopes)
    torch.testing.assert_close(gains, gains_by_hand(module, asked, slopes))
    assert not gains[..., 30:].any()


@pytest.mark.parametrize("attention", [None, {}, {"select": "pooled"}, {"pattern": "row"}, {"backend": "reference"}])
def test_a_gain_is_what_the_logit_wins_when_a_weight_rises(attention: dict[str, Any] | None) -> None:
    """The whole way through the network, by differences: one query's weight on one key rises by a share of itself."""
    net = network(56, attention).eval()
    name, block = last_block(net, 2)
    asked, slopes = output_slopes(net, block.attn, images(), CLASSES)
    gains = weight_gains(block.attn, asked, slopes)
    head, query, key = 1, 12, 7  # no global tokens: the value is the local one
    weight = block.attn.probabilities(*asked)[:, head, query, key]
    value = block.attn.split_heads(block.attn.qkv(block.attn.norm(asked[0]))).v[:, head, key]
    width = block.attn.head_dim
    along = value @ block.attn.proj.weight[:, head * width : (head + 1) * width].T
    rise, logits = 1e-4, list[Tensor]()
    for sign in (1, -1):

        def push(_: Any, __: Any, out: Any, by: float = sign * rise) -> Any:
            pushed = out if isinstance(out, Tensor) else out.out
            pushed[:, query] += by * weight[:, None] * along
            return out

        hook = block.attn.register_forward_hook(push)
        with torch.no_grad():
            logits.append(net(images()).gather(1, CLASSES[:, None])[:, 0])
        hook.remove()
    torch.testing.assert_close(gains[:, head, query, key], (logits[0] - logits[1]) / (2 * rise), rtol=1e-5, atol=1e-12)
    assert name == "stages.2.blocks.1"


@pytest.mark.parametrize(("size", "settings"), [(56, {}), (112, PADDED)])
def test_a_map_is_what_tokens_get_of_the_positive_gains(size: int, settings: dict[str, Any]) -> None:
    net = network(size, None, **settings)
    maps = gradient_maps(net, images(size), CLASSES)
    _, block = last_block(net.eval(), 2)
    asked, slopes = output_slopes(net, block.attn, images(size), CLASSES)
    real = torch.ones(asked[0].shape[:2], dtype=torch.bool) if asked[1] is None else asked[1]
    gains = gains_by_hand(block.attn, asked, slopes).clamp_min(0).mean(1)
    got = (gains * real[:, :, None]).sum(1)  # a query sees as many keys as every other of its window
    side = net.shape.stages[2].side
    known = block.paste(got[..., None], torch.Size((2, side, side, 1)))[..., 0]
    known = known / known.sum((1, 2), keepdim=True)
    assert (maps.method, maps.layer) == ("attention_gradient", "stages.2.blocks.1")
    torch.testing.assert_close(maps.values, known.detach().float())


def test_a_sparse_map_stands_over_what_even_attention_gives() -> None:
    net = network(56, {"radius": 1, "globals": 1}).eval()
    maps = gradient_maps(net, images(), CLASSES)
    _, block = last_block(net, 2)
    asked, slopes = output_slopes(net, block.attn, images(), CLASSES)
    due = block.attn.even_weights(*asked)[:, 0].sum(1)
    known = gains_by_hand(block.attn, asked, slopes).clamp_min(0).mean(1).sum(1) / due
    assert float(due.max() / due.min()) > 2
    torch.testing.assert_close(maps.values.flatten(1), (known / known.sum(1, keepdim=True)).detach().float())


@pytest.mark.parametrize("options", [{}, {"qk_norm": True}, {"class_token": False, "global_pool": "avg"}])
def test_a_transformer_shows_what_autograd_gives_its_own_weights(options: dict[str, Any]) -> None:
    net: Any = vit(**options)
    maps = gradient_maps(net, small_images(), CLASSES)
    last, kept = net.blocks[-1].attn, list[Tensor]()
    assert last.fused_attn
    last.fused_attn = False
    last.attn_drop.register_forward_hook(lambda _, __, out: kept.append(out))
    net(small_images()).gather(1, CLASSES[:, None]).sum().backward(inputs=list(net.parameters()), retain_graph=True)
    (slopes,) = torch.autograd.grad(net(small_images()).gather(1, CLASSES[:, None]).sum(), kept[1:])
    known = (kept[1] * slopes).clamp_min(0).mean((1, 2))[:, net.num_prefix_tokens :]
    torch.testing.assert_close(maps.values.flatten(1), (known / known.sum(1, keepdim=True)).detach())
    assert maps.layer == "blocks.1"


def test_an_image_has_its_own_map_and_a_class_its_own() -> None:
    net = network(56, {})
    both, one = gradient_maps(net, images(), CLASSES), gradient_maps(net, images()[1:], CLASSES[1:])
    torch.testing.assert_close(both.values[1:], one.values)
    assert not torch.allclose(gradient_maps(net, images(), CLASSES.flip(0)).values, both.values, rtol=1e-3)


def test_the_network_comes_back_as_it_was() -> None:
    for net, size in ((network(56, {}).train(), 56), (vit().train(), 32)):
        shown = images(size) if isinstance(net, TinyViT) else small_images()
        assert not gradient_maps(net, shown, CLASSES).values.requires_grad
        assert net.training
        assert all(one.grad is None for one in net.parameters())
        assert not any(module._forward_hooks for module in net.modules())
        assert all(getattr(module, "fused_attn", True) for module in net.modules())


def test_what_attention_cannot_be_read_or_is_not_used_is_told() -> None:
    with pytest.raises(MapUndefined, match="MobileNetV3"):
        gradient_maps(timm.create_model("mobilenetv3_small_050", num_classes=5), small_images(), CLASSES)
    net = network(56)
    torch.nn.init.zeros_(net.head.fc.weight)
    with pytest.raises(MapUndefined, match="does not depend"):
        gradient_maps(net, images(), CLASSES)


def test_the_plain_formula_of_dense_windows_gives_their_output() -> None:
    net = network(112, None, **PADDED).eval()
    asked = block_inputs(net, images(112))["stages.2.blocks.1.attn"]
    _, block = last_block(net, 2)
    assert isinstance(block.attn, WindowAttention)
    torch.testing.assert_close(block.attn.reference(*asked)[0], block.attn(*asked))
