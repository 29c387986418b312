"""The convolutional and plain parts of TinyViT: tensors in, tensors out; parameter names are timm's.

`inner` widths are arguments, so that a pruned network is built by the same code. Maps are (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.network.recompute import act_linear, norm_act_conv, norm_linear


def gelu(x: Tensor) -> Tensor:
    """GELU of a value that nobody else holds: in place where no gradient is wanted."""
    in_place: Callable[[Tensor], Tensor] = torch.ops.aten.gelu_
    return F.gelu(x) if torch.is_grad_enabled() else in_place(x)


def add_to(branch: Tensor, x: Tensor) -> Tensor:
    """Return x + branch; the branch, which nobody else holds, is written over where no gradient is wanted."""
    return x + branch if torch.is_grad_enabled() else branch.add_(x)


class ConvNorm(nn.Sequential):
    """Convolution without bias, then batch norm; one convolution with the norm folded in where nothing is learned.

    The folding is done at every call (the weights are small beside the maps), so it cannot be stale.
    """

    conv: nn.Conv2d
    bn: nn.BatchNorm2d

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        # No bias: the norm behind it would take it out again.
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or torch.is_grad_enabled():
            return self.bn(self.conv(x))  # type: ignore[no-any-return]
        conv, norm = self.conv, self.bn
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = conv.weight * scale[:, None, None, None]
        return F.conv2d(x, weight, norm.bias - norm.running_mean * scale, conv.stride, conv.padding, 1, conv.groups)


class DropPath(nn.Module):
    """Drops a residual branch for whole samples in training, and scales up the ones that stay."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return branch
        keep = 1.0 - self.rate
        mask = branch.new_empty((branch.shape[0],) + (1,) * (branch.ndim - 1)).bernoulli_(keep)
        return branch * mask.div_(keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


class ConvChain(nn.Module):
    """Three ConvNorms with GELU between: `lean` keeps only each convolution's output for the backward pass."""

    def __init__(self, convs: tuple[ConvNorm, ConvNorm, ConvNorm], lean: bool) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = convs
        self.lean = lean

    def chain(self, x: Tensor) -> Tensor:
        if self.lean and self.training:
            x = self.conv1.conv(x)
            x = norm_act_conv(x, self.conv1.bn, self.conv2.conv)
            x = norm_act_conv(x, self.conv2.bn, self.conv3.conv)
            return self.conv3.bn(x)  # type: ignore[no-any-return]
        x = gelu(self.conv1(x))
        x = gelu(self.conv2(x))
        return self.conv3(x)  # type: ignore[no-any-return]


class MBConv(ConvChain):
    """Inverted bottleneck of stage 0: widen, depthwise 3 x 3, narrow; GELU after the sum."""

    def __init__(self, dim: int, inner: int, drop_path: float, lean: bool) -> None:
        super().__init__((ConvNorm(dim, inner), ConvNorm(inner, inner, 3, groups=inner), ConvNorm(inner, dim)), lean)
        # As in timm: each branch starts at zero, and the block as its input.
        nn.init.zeros_(self.conv3.bn.weight)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        return gelu(add_to(self.drop_path(self.chain(x)), x))


class PatchMerging(ConvChain):
    """Halves the map and changes the width between stages; no residual."""

    def __init__(self, dim: int, out: int, lean: bool) -> None:
        super().__init__((ConvNorm(dim, out), ConvNorm(out, out, 3, stride=2, groups=out), ConvNorm(out, out)), lean)

    def forward(self, x: Tensor) -> Tensor:
        return self.chain(x)


class PatchEmbed(nn.Module):
    """The stem: two 3 x 3 convolutions of stride 2. From here on channels lie innermost in memory, as attention
    needs them and as convolutions are quickest."""

    def __init__(self, inner: int, dim: int, lean: bool) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, inner, 3, stride=2)
        self.conv2 = ConvNorm(inner, dim, 3, stride=2)
        self.lean = lean

    def forward(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        if self.lean and self.training:
            x = norm_act_conv(self.conv1.conv(images), self.conv1.bn, self.conv2.conv)
            return self.conv2.bn(x)  # type: ignore[no-any-return]
        return self.conv2(gelu(self.conv1(images)))  # type: ignore[no-any-return]


class NormMlp(nn.Module):
    """Layer norm, linear, GELU, linear over the last axis."""

    def __init__(self, dim: int, inner: int, lean: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, inner)
        self.fc2 = nn.Linear(inner, dim)
        self.lean = lean

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.fc2(gelu(self.fc1(self.norm(x))))  # type: ignore[no-any-return]
        hidden = norm_linear(x, self.norm, self.fc1)
        return act_linear(hidden, self.fc2) if self.lean else self.fc2(F.gelu(hidden))


class Head(nn.Module):
    """Mean over the map, layer norm, linear: (B, C, H, W) to logits (B, classes)."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(x.mean((2, 3))))  # type: ignore[no-any-return]


def init_linear(layer: nn.Linear) -> None:
    """Normal weights of deviation 0.02 cut at +-2, zero bias: timm's start for TinyViT."""
    nn.init.trunc_normal_(layer.weight, std=0.02)
    if layer.bias is not None:
        with torch.no_grad():
            layer.bias.zero_()
