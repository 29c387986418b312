"""The plain parts of a TinyViT against torch's own layers, and what each does in training alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.network.layers import (
    ConvNorm,
    DropPath,
    Head,
    MBConv,
    NormMlp,
    PatchEmbed,
    PatchMerging,
    add_to,
    gelu,
    init_linear,
)

from .nets import randomize


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_the_folded_norm_is_the_convolution_and_the_norm() -> None:
    layer = ConvNorm(4, 4, 3, stride=2, groups=2).double().eval()
    layer.bn.eps = 0.1
    randomize(layer, scale=0.4)
    x = draw(2, 4, 7, 7)
    with torch.no_grad():
        folded = layer(x)
        torch.testing.assert_close(folded, layer.bn(layer.conv(x)), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(x).detach(), folded, rtol=0, atol=1e-12)


def test_without_gradients_a_norm_in_training_still_moves() -> None:
    layer = ConvNorm(3, 4).double().train()
    with torch.no_grad():
        layer(draw(2, 3, 5, 5))
    assert float(layer.bn.running_mean.abs().max()) > 0  # type: ignore[union-attr]


def test_drop_path_drops_whole_samples_and_scales_the_others() -> None:
    torch.manual_seed(0)
    layer, x = DropPath(0.25).train(), torch.ones(4000, 3, 2)
    out = layer(x)
    assert out.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(out.amax((1, 2)), out.amin((1, 2)))
    assert float((out[:, 0, 0] == 0).double().mean()) == pytest.approx(0.25, abs=0.03)
    assert layer.eval()(x) is x
    assert DropPath(0.0).train()(x) is x


def test_steps_in_place_happen_only_where_no_gradient_is_wanted() -> None:
    x, branch = draw(3, 4), draw(4, 3).T.contiguous()
    wanted = F.gelu(x), x + branch
    for learns in (True, False):
        given, other = x.clone(), branch.clone()
        with torch.set_grad_enabled(learns):
            torch.testing.assert_close(gelu(given), wanted[0])
            torch.testing.assert_close(add_to(other, x), wanted[1])
        assert torch.equal(given, x) == learns
        assert torch.equal(other, branch) == learns


@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_blocks_are_their_steps_one_after_another(lean: bool, training: bool) -> None:
    block, merge, stem = MBConv(4, 8, 0.0, lean), PatchMerging(4, 6, lean), PatchEmbed(4, 8, lean)
    mlp, head = NormMlp(4, 8, lean), Head(4, 5)
    for part in (block, merge, stem, mlp, head):
        randomize(part, scale=0.3)
        part.double().train(training)
    x = draw(2, 4, 6, 6)

    def chain(part: MBConv | PatchMerging, value: Tensor) -> Tensor:
        for conv in (part.conv1, part.conv2):
            value = F.gelu(conv.bn(conv.conv(value)))
        answer: Tensor = part.conv3.bn(part.conv3.conv(value))
        return answer

    torch.testing.assert_close(block(x), F.gelu(x + chain(block, x)), rtol=0, atol=1e-12)
    torch.testing.assert_close(merge(x), chain(merge, x), rtol=0, atol=1e-12)
    assert merge(x).shape == (2, 6, 3, 3)
    images = draw(2, 3, 16, 16)
    middle = F.gelu(stem.conv1.bn(stem.conv1.conv(images)))
    torch.testing.assert_close(stem(images), stem.conv2.bn(stem.conv2.conv(middle)), rtol=0, atol=1e-12)
    assert stem(images).shape == (2, 8, 4, 4)
    tokens = draw(2, 9, 4)
    torch.testing.assert_close(mlp(tokens), mlp.fc2(F.gelu(mlp.fc1(mlp.norm(tokens)))), rtol=0, atol=1e-12)
    torch.testing.assert_close(head(x), head.fc(head.norm(x.mean((2, 3)))), rtol=0, atol=1e-12)


def test_a_bottleneck_begins_as_nothing_beside_its_input() -> None:
    x = draw(2, 4, 6, 6)
    torch.testing.assert_close(MBConv(4, 8, 0.0, False).double()(x), F.gelu(x))


def test_linear_layers_begin_narrow_and_without_bias() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(300, 300)
    init_linear(layer)
    assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(layer.weight.detach().mean()) == pytest.approx(0.0, abs=2e-4)
    assert not layer.bias.any()
    init_linear(nn.Linear(3, 3, bias=False))
