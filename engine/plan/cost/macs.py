"""What a network multiplies: takes its settings, gives multiply-adds and parameters by formula, without torch.

Of a TinyViT the convolutions, projections and scores are added up as they are computed, whatever a mask hides. Of a
timm network nothing is known without timm but that it is about as large as most: its first calibration counts it.
"""

from __future__ import annotations

from engine.spec import Network
from engine.spec.architectures import is_tiny_vit
from engine.spec.shapes import NetworkShape, StageShape, network_shape

TIMM_MACS, TIMM_PARAMS, TIMM_SIDE = 4.0e9, 25e6, 224
"""Of a middling timm network (a ResNet-50, a ViT-S), at that side."""
KERNEL = 9  # weights of a 3 x 3 convolution
WIDER = 4  # inner channels of MBConv and MLP over the outer ones


def count_macs(network: Network, image_size: int) -> float:
    """Return multiply-adds for one image, the head left out."""
    if not is_tiny_vit(network.arch):
        return TIMM_MACS * (image_size / TIMM_SIDE) ** 2
    shape = network_shape(network, image_size)
    return _stem_macs(shape) + sum(_stage_macs(shape, stage) for stage in shape.stages)


def _stem_macs(shape: NetworkShape) -> float:
    dim, side = shape.sizes.dims[0], shape.stages[0].side
    return KERNEL * (dim // 2) * side**2 * (4 * 3 + dim)


def _stage_macs(shape: NetworkShape, stage: StageShape) -> float:
    dim, tokens = stage.dim, stage.side**2
    if stage.stage == 0:
        return float(stage.depth * tokens * WIDER * dim * (2 * dim + KERNEL))
    before = shape.stages[stage.stage - 1]
    merging = before.side**2 * before.dim * dim + tokens * dim * (KERNEL + dim)
    padded = (-(-stage.side // stage.window) * stage.window) ** 2
    attention = padded * dim * (4 * dim + 2 * stage.tokens)
    return float(merging + stage.depth * (attention + tokens * dim * (KERNEL + 2 * WIDER * dim)))


def count_params(network: Network) -> float:
    """Return the number of weights, about: biases, norms and the head are left out."""
    if not is_tiny_vit(network.arch):
        return TIMM_PARAMS
    shape = network_shape(network, TIMM_SIDE)
    first, *rest = shape.stages
    dims = shape.sizes.dims
    stem = KERNEL * (dims[0] // 2) * (3 + dims[0]) + first.depth * WIDER * first.dim * (2 * first.dim + KERNEL)
    blocks = (stage.depth * stage.dim * ((4 + 2 * WIDER) * stage.dim + KERNEL) for stage in rest)
    merging = (dims[stage.stage - 1] * stage.dim + stage.dim * (KERNEL + stage.dim) for stage in rest)
    return float(stem + sum(blocks) + sum(merging))
