"""The prunable layers of timm's networks: takes a module, gives the parts of its units, None for what is not known.

A block that has anything beside what is written here (blur, group norms over its units) is left as it is: its units
could not be taken away without changing the others. A block's class alone decides, so that all families that are built
of it are known at once: ViT and DeiT, MobileNet and EfficientNet, ConvNeXt, ResNet, and more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import timm.layers
from timm.models._efficientnet_blocks import EdgeResidual, InvertedResidual, SqueezeExcite, UniversalInvertedResidual
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn

from engine.core.network.unit_parts import Part, along, counts, inputs, is_depthwise, is_plain, outputs

Kind = Literal["mid", "heads", "hidden"]
Found = tuple[Kind, int, tuple[Part, ...]]


def find_timm_parts(module: nn.Module) -> Found | None:
    """Return the kind, the number and the parts of a module's units."""
    find = FINDERS.get(type(module))
    return find(module) if find is not None else None


def _mlp(module: Any) -> Found | None:
    """Of ConvNeXt V2 and its like the norm between is over all units: each one's going would change the others."""
    if not (is_nothing(module.norm) and is_plain(module.fc1) and is_plain(module.fc2)):
        return None
    return "hidden", _width(module.fc2), (outputs(module.fc1), inputs(module.fc2))


def _gated_mlp(module: Any) -> Found | None:
    """Value and gate are the halves of one layer."""
    if not (is_nothing(module.norm) and is_plain(module.fc1) and is_plain(module.fc2)):
        return None
    return "hidden", _width(module.fc2), (outputs(module.fc1, blocks=2), inputs(module.fc2))


def _swiglu(module: Any) -> Found | None:
    if not is_nothing(module.norm):
        return None
    return "hidden", _width(module.fc2), (outputs(module.fc1_x), outputs(module.fc1_g), inputs(module.fc2))


def _attention(module: Any) -> Found | None:
    """A norm over all heads together would see one go."""
    if not is_nothing(module.norm):
        return None
    wide = module.head_dim
    gate = [outputs(module.gate, wide)] if getattr(module, "gate", None) is not None else []
    sizes = [counts(module, "num_heads"), counts(module, "attn_dim", wide)]
    return "heads", module.num_heads, (outputs(module.qkv, wide, 3), *gate, inputs(module.proj, wide), *sizes)


def _inverted(module: Any) -> Found | None:
    excite = excite_parts(module.se)
    if excite is None or not (is_nothing(module.aa) and is_depthwise(module.conv_dw)):
        return None
    if not (is_plain(module.conv_pw) and is_plain(module.conv_pwl)):
        return None
    made = (outputs(module.conv_pw), along(module.bn1), along(module.conv_dw), along(module.bn2))
    return "mid", module.conv_dw.out_channels, (*made, inputs(module.conv_pwl), *excite)


def _edge(module: Any) -> Found | None:
    excite = excite_parts(module.se)
    if excite is None or not (is_nothing(module.aa) and is_plain(module.conv_exp) and is_plain(module.conv_pwl)):
        return None
    made = (outputs(module.conv_exp), along(module.bn1))
    return "mid", module.conv_exp.out_channels, (*made, inputs(module.conv_pwl), *excite)


def _universal(module: Any) -> Found | None:
    """MobileNetV4's block; its first and last depthwise convolutions are of the outer width."""
    excite, middle = excite_parts(module.se), module.dw_mid
    has_middle = not is_nothing(middle)
    if excite is None or (has_middle and not (is_depthwise(middle.conv) and is_nothing(getattr(middle, "aa", None)))):
        return None
    if not (is_plain(module.pw_exp.conv) and is_plain(module.pw_proj.conv)):
        return None
    deep = (along(middle.conv), along(middle.bn)) if has_middle else ()
    made = (outputs(module.pw_exp.conv), along(module.pw_exp.bn), *deep)
    return "mid", module.pw_exp.conv.out_channels, (*made, inputs(module.pw_proj.conv), *excite)


def _basic(module: Any) -> Found | None:
    """ResNet's block of two convolutions: the channels between them."""
    if not (is_nothing(module.aa) and is_plain(module.conv1) and is_plain(module.conv2)):
        return None
    return "mid", module.conv1.out_channels, (outputs(module.conv1), along(module.bn1), inputs(module.conv2))


def _bottleneck(module: Any) -> Found | None:
    """ResNet's block of three: the channels between the last two."""
    if not (is_nothing(module.aa) and is_plain(module.conv2) and is_plain(module.conv3)):
        return None
    return "mid", module.conv2.out_channels, (outputs(module.conv2), along(module.bn2), inputs(module.conv3))


def excite_parts(module: Any) -> tuple[Part, ...] | None:
    """Return the parts of a squeeze-and-excitation over the units, which sees their means: it reads them too."""
    if is_nothing(module):
        return ()
    if isinstance(module, SqueezeExcite):
        return inputs(module.conv_reduce), outputs(module.conv_expand)
    return None


def is_nothing(module: Any) -> bool:
    return module is None or isinstance(module, nn.Identity)


def _width(module: Any) -> int:
    return int(module.in_features if isinstance(module, nn.Linear) else module.in_channels)


FINDERS: Mapping[type[nn.Module], Callable[[Any], Found | None]] = {
    timm.layers.Mlp: _mlp,
    timm.layers.GluMlp: _gated_mlp,
    timm.layers.SwiGLU: _swiglu,
    timm.layers.Attention: _attention,
    InvertedResidual: _inverted,
    EdgeResidual: _edge,
    UniversalInvertedResidual: _universal,
    BasicBlock: _basic,
    Bottleneck: _bottleneck,
}
