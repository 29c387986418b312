"""TinyViT with dense or Longformer windows: takes a NetworkShape, gives a module from images to logits.

Stage 0 is convolutional; stages 1 to 3 begin by halving the map and then repeat attention in windows, a depthwise
convolution over the whole map, and an MLP. Maps are (B, H, W, C) between blocks. Parameter names are timm's, so its
weights load as they are; the second projection set and its like have names of their own (attn.qkv_global, ...).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.network.attention import Attended, LongformerAttention
from engine.core.network.layers import (
    ConvNorm,
    DropPath,
    Head,
    MBConv,
    NormMlp,
    PatchEmbed,
    PatchMerging,
    add_to,
    init_linear,
)
from engine.core.network.sparse import SELECTS
from engine.core.network.widths import Widths, full_widths
from engine.core.network.window import WindowAttention
from engine.core.own_code.loading import call_own
from engine.spec.network import OwnAttention
from engine.spec.patterns import SparseShape
from engine.spec.shapes import NetworkShape, StageShape

# ImageNet's, of pixels in 0..1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Ways:
    """How the network is computed, never what comes out."""

    backend: str = "auto"
    lean: bool = False
    mask_padding: bool = True


class OwnWindowAttention(nn.Module):
    """An attention of somebody's own (core/own_code/protocols.py) behind a layer norm: tokens (W, N, C) to the same."""

    def __init__(self, dim: int, heads: int, window: int, own: OwnAttention) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norm = nn.LayerNorm(dim)
        self.inner: nn.Module = call_own(own.kind, own.options, dim, heads, window)

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        return self.inner(self.norm(x), keep)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention in windows, depthwise convolution (neither residual nor activation), MLP."""

    def __init__(self, shape: StageShape, heads: int, inner: int, drop_path: float, ways: Ways) -> None:
        super().__init__()
        self.window, self.mask_padding = shape.window, ways.mask_padding
        self.attn = _attention(shape, heads, ways)
        self.local_conv = ConvNorm(shape.dim, shape.dim, 3, groups=shape.dim)
        self.mlp = NormMlp(shape.dim, inner, ways.lean)
        self.drop_path1, self.drop_path2 = DropPath(drop_path), DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x, None, False)[0]

    def step(self, x: Tensor, received: Tensor | None, want_received: bool) -> tuple[Tensor, Tensor | None]:
        """Do one block on (B, H, W, C); `received` is what the block before gives to the selection `previous`."""
        windows, keep = self.cut(x)
        out, received = self._attend(windows, keep, received, want_received)
        x = add_to(self.drop_path1(self.paste(out, x.shape)), x)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return add_to(self.drop_path2(self.mlp(x)), x), received

    def _attend(self, windows: Tensor, keep: Tensor | None, received: Tensor | None, want_received: bool) -> Attended:
        if not isinstance(self.attn, LongformerAttention):
            return Attended(self.attn(windows, keep), None)
        chosen = None if received is None else self.attn.top_tokens(received, keep)
        return self.attn(windows, keep, chosen, want_received)  # type: ignore[no-any-return]

    def cut(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Cut the map into windows (B * windows, N, C); `keep` is false for padding, None where there is none."""
        batch, height, width, channels = x.shape
        side = self.window
        # The window is the whole map: nothing is cut or padded.
        if (height, width) == (side, side):
            return x.reshape(batch, side * side, channels), None
        # On the right and below, as timm pads.
        down, right = -height % side, -width % side
        if down or right:
            x = F.pad(x, (0, 0, 0, right, 0, down))
        windows = _cut_windows(x, side)
        if not (down or right) or not self.mask_padding:
            return windows, None
        real = F.pad(x.new_ones(1, height, width, 1), (0, 0, 0, right, 0, down))
        return windows, _cut_windows(real, side)[..., 0].bool().repeat(batch, 1)

    def paste(self, windows: Tensor, shape: torch.Size) -> Tensor:
        """Put windows back as a map of `shape`, padding dropped."""
        batch, height, width, channels = shape
        side = self.window
        down, across = -(-height // side), -(-width // side)
        x = windows.view(batch, down, across, side, side, channels).transpose(2, 3)
        x = x.reshape(batch, down * side, across * side, channels)
        return x[:, :height, :width]


def _cut_windows(x: Tensor, side: int) -> Tensor:
    batch, height, width, channels = x.shape
    x = x.view(batch, height // side, side, width // side, side, channels).transpose(2, 3)
    return x.reshape(-1, side * side, channels)


def _attention(shape: StageShape, heads: int, ways: Ways) -> WindowAttention:
    # By the unpruned count: pruning takes heads away and makes none wider.
    head_dim = shape.dim // shape.heads
    if shape.own is not None:
        # It stands in its place: who asks for weights asks `shows_attention` first.
        return OwnWindowAttention(shape.dim, heads, shape.window, shape.own)  # type: ignore[return-value]
    if shape.sparse is None:
        return WindowAttention(shape.dim, heads, head_dim, shape.window, ways.lean, ways.backend)
    return LongformerAttention(shape.dim, heads, head_dim, shape.window, shape.sparse, ways.backend, ways.lean)


class ConvStage(nn.Module):
    def __init__(self, shape: StageShape, widths: Widths, drop_paths: list[float], ways: Ways) -> None:
        super().__init__()
        dim = widths.stem or shape.dim
        blocks = [MBConv(dim, mid, rate, ways.lean) for mid, rate in zip(widths.mid, drop_paths, strict=True)]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)  # type: ignore[no-any-return]


class AttentionStage(nn.Module):
    """Halve the map, then the blocks. (B, C, H, W) in and out."""

    blocks: nn.ModuleList

    def __init__(self, dim: int, shape: StageShape, widths: Widths, drop_paths: list[float], ways: Ways) -> None:
        super().__init__()
        heads, hidden = widths.heads[shape.stage - 1], widths.hidden[shape.stage - 1]
        self.downsample = PatchMerging(dim, shape.dim, ways.lean)
        sizes = zip(heads, hidden, drop_paths, strict=True)
        self.blocks = nn.ModuleList(Block(shape, count, inner, rate, ways) for count, inner, rate in sizes)
        self.wants_received = _selects_previous(shape.sparse)

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x).permute(0, 2, 3, 1)
        received, last = None, len(self.blocks) - 1
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            # Nobody comes after the last block, so what its tokens receive is not worked out.
            x, received = block.step(x, received, self.wants_received and number < last)
        return x.permute(0, 3, 1, 2)


def _selects_previous(sparse: SparseShape | None) -> bool:
    return sparse is not None and sparse.globals > 0 and SELECTS[sparse.select].wants_received


class TinyViT(nn.Module):
    """Images (B, 3, S, S), normalised with `mean` and `std`, to logits (B, num_classes)."""

    def __init__(
        self, shape: NetworkShape, num_classes: int, ways: Ways | None = None, widths: Widths | None = None
    ) -> None:
        super().__init__()
        ways, widths = ways or Ways(), widths or full_widths(shape)
        self.shape, self.num_classes, self.ways, self.widths = shape, num_classes, ways, widths
        self.mean, self.std = MEAN, STD
        sizes, rates = shape.sizes, _drop_paths(shape)
        # The order decides which random numbers each layer starts from.
        dims = (widths.stem or sizes.dims[0], *sizes.dims[1:])
        self.patch_embed = PatchEmbed(sizes.dims[0] // 2, dims[0], ways.lean)
        self.stages = nn.Sequential(ConvStage(shape.stages[0], widths, rates[0], ways))
        for stage in (1, 2, 3):
            part = AttentionStage(dims[stage - 1], shape.stages[stage], widths, rates[stage], ways)
            self.stages.append(part)
        self.head = Head(sizes.dims[-1], num_classes)
        # Convolutions keep torch's own start, as in timm.
        for module in self.modules():
            if isinstance(module, NormMlp):
                init_linear(module.fc1)
                init_linear(module.fc2)
        init_linear(self.head.fc)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.patch_embed(images)))  # type: ignore[no-any-return]

    def attention_modules(self) -> list[tuple[str, WindowAttention]]:
        """Return the attention modules with their names, first block first."""
        return [(name, module) for name, module in self.named_modules() if isinstance(module, WindowAttention)]

    def shows_attention(self, stage: int) -> bool:
        """Whether the weights of a stage's attention can be read: those of somebody's own attention cannot."""
        return self.shape.stages[stage].own is None


def _drop_paths(shape: NetworkShape) -> list[list[float]]:
    """Drop path rises linearly from 0 at the first block of the network to its rate at the last."""
    depths, rate = shape.sizes.depths, shape.sizes.drop_path
    line = torch.linspace(0.0, rate, sum(depths), device="cpu").tolist()  # also where the network has no memory
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [line[start : start + depth] for start, depth in zip(starts, depths, strict=True)]
