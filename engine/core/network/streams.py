"""Channels of the residual stream that can be taken away: takes a network, gives the parts of each stream's channels.

A stream is what blocks add to and read from until one begins another. Its channels can go where all that lies on it
works channel by channel (batch norms, depthwise convolutions) or reads it as a linear map. A layer norm takes mean and
variance over all channels, so that without one the others come out differently: setting a channel to zero is then not
taking it away, and no stream with a layer norm is given here. So ViT and ConvNeXt have none, a TinyViT that of its
first stage, MobileNet, EfficientNet and ResNet all of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from timm.models._efficientnet_blocks import (
    ConvBnAct,
    DepthwiseSeparableConv,
    EdgeResidual,
    InvertedResidual,
    UniversalInvertedResidual,
)
from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from engine.core.network.timm_units import excite_parts, is_nothing
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.unit_parts import Part, along, counts, inputs, is_depthwise, is_plain, outputs

Parts = tuple[Part, ...]
Side = tuple[Parts, Parts]
"""What reads a block's input, and what writes its output."""


@dataclass(frozen=True)
class Step:
    """One block on the way: None for parts that are not known; `goes_on` where it adds to the stream that it reads."""

    reads: Parts | None
    writes: Parts | None
    goes_on: bool = False


@dataclass
class Stream:
    """Channels that go together: `name` is that of the layer that makes them."""

    name: str
    units: int
    parts: list[Part] = field(default_factory=list)
    is_known: bool = True

    def take(self, parts: Parts | None) -> None:
        self.parts += parts or ()
        self.is_known &= parts is not None


def list_streams(network: nn.Module) -> list[Stream]:
    """Return the streams whose channels can go, first first; none of a network that is not known."""
    walk = WALKS.get(type(network))
    names = {module: name for name, module in network.named_modules()}
    return [stream for stream in _join(walk(network), names) if stream.is_known] if walk is not None else []


def _join(steps: Iterator[Step], names: Mapping[nn.Module, str]) -> Iterator[Stream]:
    current = _begin(next(steps).writes, names)
    for step in steps:
        current.take(step.reads)
        if step.goes_on:
            current.take(step.writes)
            continue
        yield current
        current = _begin(step.writes, names)


def _begin(parts: Parts | None, names: Mapping[nn.Module, str]) -> Stream:
    """Return the stream that a block's last layer makes."""
    if not parts:
        return Stream("", 0, is_known=False)
    return Stream(names[parts[0].module], parts[0].weight.shape[0], list(parts))


def _walk_tiny(network: Any) -> Iterator[Step]:
    """From the stem to where layer norms begin."""
    yield Step(None, _made(network.patch_embed.conv2.conv, network.patch_embed.conv2.bn))
    for block in network.stages[0].blocks:
        yield Step((inputs(block.conv1.conv),), _made(block.conv3.conv, block.conv3.bn), True)
    yield Step((inputs(network.stages[1].downsample.conv1.conv),), None)


def _walk_efficient(network: Any) -> Iterator[Step]:
    yield Step(None, _made(network.conv_stem, network.bn1))
    for block in (block for stage in network.blocks for block in stage):
        side = SIDES[type(block)](block) if type(block) in SIDES else None
        reads, writes = side or (None, None)
        yield Step(reads, writes, bool(getattr(block, "has_skip", False)))
    if not is_plain(network.conv_head):
        yield Step((inputs(network.classifier),), None)
        return
    norm = network.bn2 if isinstance(network, EfficientNet) else network.norm_head
    yield Step((inputs(network.conv_head),), (*_made(network.conv_head, norm), counts(network, "head_hidden_size")))
    yield Step((inputs(network.classifier),), None)


def _walk_resnet(network: Any) -> Iterator[Step]:
    stem = network.conv1[-1] if isinstance(network.conv1, nn.Sequential) else network.conv1
    yield Step(None, _made(stem, network.bn1) if isinstance(network.maxpool, nn.MaxPool2d) else None)
    for block in (block for name in ("layer1", "layer2", "layer3", "layer4") for block in getattr(network, name)):
        reads, writes = _residual(block) or (None, None)
        yield Step(reads, writes, block.downsample is None)
    yield Step((inputs(network.fc),), None)


def _made(conv: nn.Module, norm: nn.Module) -> Parts:
    return (outputs(conv), *(() if is_nothing(norm) else (along(norm),)))


def _separable(block: Any) -> Side | None:
    """A depthwise convolution first: it goes with the stream that comes in."""
    seen = excite_parts(block.se)
    if seen is None or block.conv_s2d is not None or not (is_nothing(block.aa) and is_depthwise(block.conv_dw)):
        return None
    if not is_plain(block.conv_pw):
        return None
    reads = (along(block.conv_dw), along(block.bn1), inputs(block.conv_pw), *seen)
    return reads, _made(block.conv_pw, block.bn2)


def _inverted(block: Any) -> Side | None:
    if getattr(block, "conv_s2d", None) is not None or not (is_plain(block.conv_pw) and is_plain(block.conv_pwl)):
        return None
    return (inputs(block.conv_pw),), _made(block.conv_pwl, block.bn3)


def _edge(block: Any) -> Side | None:
    if not (is_plain(block.conv_exp) and is_plain(block.conv_pwl)):
        return None
    return (inputs(block.conv_exp),), _made(block.conv_pwl, block.bn2)


def _universal(block: Any) -> Side | None:
    """MobileNetV4's block, where a depthwise convolution may come first; one that scales its layers is left alone."""
    first, ending = block.dw_start, (block.dw_end, block.layer_scale)
    if not all(map(is_nothing, ending)) or not is_plain(block.pw_exp.conv) or not is_plain(block.pw_proj.conv):
        return None
    deep: Parts = ()
    if not is_nothing(first):
        if not is_depthwise(first.conv) or not is_nothing(getattr(first, "aa", None)):
            return None
        deep = (along(first.conv), along(first.bn))
    return (*deep, inputs(block.pw_exp.conv)), _made(block.pw_proj.conv, block.pw_proj.bn)


def _plain_conv(block: Any) -> Side | None:
    if not (is_nothing(block.aa) and is_plain(block.conv)):
        return None
    return (inputs(block.conv),), _made(block.conv, block.bn1)


def _residual(block: Any) -> Side | None:
    """ResNet's blocks; a squeeze-and-excitation at their end would see the means of the stream's channels."""
    if type(block) not in (BasicBlock, Bottleneck) or not is_nothing(block.se):
        return None
    last, norm = (block.conv2, block.bn2) if type(block) is BasicBlock else (block.conv3, block.bn3)
    if not (is_plain(block.conv1) and is_plain(last)):
        return None
    if block.downsample is None:
        return (inputs(block.conv1),), _made(last, norm)
    short = [part for part in block.downsample if not isinstance(part, nn.AvgPool2d | nn.Identity)]
    if [type(part) for part in short] != [nn.Conv2d, nn.BatchNorm2d] or not is_plain(short[0]):
        return None
    return (inputs(block.conv1), inputs(short[0])), (*_made(last, norm), *_made(short[0], short[1]))


SIDES: Mapping[type[nn.Module], Callable[[Any], Side | None]] = {
    DepthwiseSeparableConv: _separable,
    InvertedResidual: _inverted,
    EdgeResidual: _edge,
    UniversalInvertedResidual: _universal,
    ConvBnAct: _plain_conv,
}
WALKS: Mapping[type[nn.Module], Callable[[Any], Iterator[Step]]] = {
    TinyViT: _walk_tiny,
    EfficientNet: _walk_efficient,
    MobileNetV3: _walk_efficient,
    ResNet: _walk_resnet,
}
