"""Sizes of a TinyViT at an image size: takes a Network of the spec, gives what each stage really uses, without torch.

Windows, radii, globals and tiles are clipped or refused here (design of the attention words), so that `xp validate`,
`xp describe` and the network itself cannot disagree. Stage maps halve rounding up, as strided convolutions do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Problem, SpecError
from engine.spec.architectures import is_tiny_vit
from engine.spec.network import LongformerAttention, Network, OwnAttention
from engine.spec.patterns import PATTERNS, SELECT_WORDS, SparseShape, mean_keys


@dataclass(frozen=True)
class Sizes:
    """The four-entry sizes of a TinyViT; entry 0 of heads and windows is unused (stage 0 is convolutional)."""

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    windows: tuple[int, ...] = (7, 7, 14, 7)
    drop_path: float = 0.0


@dataclass(frozen=True)
class StageShape:
    """One stage: a `side` x `side` map cut into windows of `window` x `window` tokens (0 in the conv stage)."""

    stage: int
    dim: int
    depth: int
    heads: int
    side: int
    window: int
    asked_window: int
    sparse: SparseShape | None = None
    own: OwnAttention | None = None

    @property
    def kind(self) -> str:
        if self.window == 0:
            return "conv"
        if self.own is not None:
            return self.own.kind
        return "longformer" if self.sparse else "window"

    @property
    def tokens(self) -> int:
        return self.window**2

    @property
    def keys_per_query(self) -> float:
        """Mean number of keys that a token of a full window attends to; chosen globals counted as if on the grid."""
        if self.sparse is None:
            return float(self.tokens)
        return mean_keys(self.sparse, self.window)


@dataclass(frozen=True)
class NetworkShape:
    sizes: Sizes
    image_size: int
    stages: tuple[StageShape, ...]


# timm's, drop path included.
ARCHS: dict[str, Sizes] = {
    "tiny_vit_5m": Sizes((64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10)),
    "tiny_vit_11m": Sizes((64, 128, 256, 448), (2, 2, 6, 2), (2, 4, 8, 14), drop_path=0.1),
    "tiny_vit_21m": Sizes((96, 192, 384, 576), (2, 2, 6, 2), (3, 6, 12, 18), drop_path=0.2),
}


def sizes_of(network: Network) -> Sizes:
    """Return the sizes of a `tiny_vit*` arch, each from the network where given, else the arch's own."""
    base = ARCHS.get(network.arch, Sizes((), (), ()))
    return Sizes(
        tuple(network.dims or base.dims),
        tuple(network.depths or base.depths),
        tuple(network.heads or base.heads),
        tuple(network.windows or base.windows),
        base.drop_path if network.drop_path is None else network.drop_path,
    )


def stage_sides(image_size: int) -> tuple[int, int, int, int]:
    """Return the side of the map in stages 0 to 3: the stem divides by 4, each later stage by 2, rounding up."""
    side = math.ceil(math.ceil(image_size / 2) / 2)
    sides = [side]
    for _ in range(3):
        sides.append(math.ceil(sides[-1] / 2))
    return sides[0], sides[1], sides[2], sides[3]


def network_shape(network: Network, image_size: int, path: str = "student") -> NetworkShape:
    """Return what each stage uses. Raises SpecError with every impossible setting and the nearest legal values."""
    problems = shape_problems(network, image_size, path)
    if problems:
        raise SpecError(problems)
    sizes = sizes_of(network)
    stages = tuple(_stage_shape(network, sizes, stage, side) for stage, side in enumerate(stage_sides(image_size)))
    return NetworkShape(sizes, image_size, stages)


def shape_problems(network: Network, image_size: int, path: str = "student") -> list[Problem]:
    """Return what cannot be built: head counts and tiles that do not divide, list entries beyond their stage.

    Empty for a network that is no tiny_vit. `where` of each problem is left to the caller, who knows the file.
    """
    if not is_tiny_vit(network.arch):
        return []
    sizes = sizes_of(network)
    problems = _head_problems(sizes, path)
    if sizes.dims and sizes.dims[0] < 2:
        problems.append(Problem("", f"{path}.dims", "the first entry is below 2: the stem halves it", "use at least 2"))
    if isinstance(network.attention, LongformerAttention):
        for stage in network.attention.stages:
            window = _window(network, sizes, stage, stage_sides(image_size)[stage])
            problems += _sparse_problems(network.attention, stage, window, f"{path}.attention")
    return problems


def _head_problems(sizes: Sizes, path: str) -> list[Problem]:
    problems = []
    for stage, (dim, heads) in enumerate(zip(sizes.dims, sizes.heads, strict=True)):
        if dim % heads and stage > 0:
            legal = nearest_divisors(dim, heads)
            what = f"stage {stage}: {dim} channels do not divide into {heads} heads"
            problems.append(Problem("", f"{path}.heads", what, f"use {_either(legal)} heads there"))
    return problems


def _sparse_problems(attention: LongformerAttention, stage: int, window: int, path: str) -> list[Problem]:
    problems = []
    for word, most in (("radius", window - 1), ("globals", window**2), ("tile", window)):
        given = getattr(attention, word)
        value = given[stage - 1] if isinstance(given, list) else given
        if value is None:
            continue
        least = 1 if word == "tile" else 0
        if value < least:
            what = f"stage {stage}: {word} {value} is below {least}"
            problems.append(Problem("", f"{path}.{word}", what, f"use {least} to {most}"))
        elif isinstance(given, list) and value > most:
            what = f"stage {stage}: {word} {value} is more than its {window} x {window} window has room for"
            fix = f"use at most {most} there, or one number for all stages, which is clipped to each"
            problems.append(Problem("", f"{path}.{word}", what, fix))
        elif word == "tile" and PATTERNS[attention.pattern].is_tiled and window % min(value, window):
            what = f"stage {stage}: tile {value} does not divide the {window} x {window} window"
            legal = _either(nearest_divisors(window, value))
            problems.append(Problem("", f"{path}.tile", what, f"use {legal} there, or null for the default"))
    return problems


def nearest_divisors(number: int, wanted: int) -> tuple[int, ...]:
    """Return the divisors of `number` next below and next above `wanted` (one where the other does not exist)."""
    divisors = [size for size in range(1, number + 1) if number % size == 0]
    below = [size for size in divisors if size <= wanted][-1:]
    above = [size for size in divisors if size > wanted][:1]
    return tuple(below + above)


def _either(values: Sequence[int]) -> str:
    return " or ".join(str(value) for value in values)


def _stage_shape(network: Network, sizes: Sizes, stage: int, side: int) -> StageShape:
    dim, depth, heads, asked = sizes.dims[stage], sizes.depths[stage], sizes.heads[stage], sizes.windows[stage]
    if stage == 0:
        return StageShape(0, dim, depth, heads, side, 0, 0)
    window = _window(network, sizes, stage, side)
    sparse, own, attention = None, None, network.attention
    if isinstance(attention, LongformerAttention) and stage in attention.stages:
        sparse = sparse_shape(attention, stage, window)
    if isinstance(attention, OwnAttention) and stage in attention.stages:
        own = attention
    return StageShape(stage, dim, depth, heads, side, window, asked, sparse, own)


def _window(network: Network, sizes: Sizes, stage: int, side: int) -> int:
    """A window larger than the map is clipped to it; timm pads the map up to the window instead."""
    asked = sizes.windows[stage]
    return asked if network.padding == "timm" else min(asked, side)


def sparse_shape(attention: LongformerAttention, stage: int, window: int) -> SparseShape | None:
    """Return the effective settings of one stage; None where tiles cover the window: plain window attention."""
    tile = radius = 0
    if PATTERNS[attention.pattern].is_tiled:
        tile = min(_entry(attention.tile, stage, default_tile(window)), window)
        if tile == window:
            return None
    else:
        radius = min(_entry(attention.radius, stage, 2 if window <= 7 else 3), window - 1)
    count = min(_entry(attention.globals, stage, 4 if window <= 14 else 16), window**2)
    if not SELECT_WORDS[attention.select].makes_globals:
        count = 0
    words = (attention.pattern, attention.select, attention.projections, attention.bias, attention.combine)
    return SparseShape(*words, radius=radius, globals=count, tile=tile)


def _entry(given: int | list[int] | None, stage: int, default: int) -> int:
    if given is None:
        return default
    return given[stage - 1] if isinstance(given, list) else given


def default_tile(window: int) -> int:
    """Return the largest divisor of the window up to 7, or the window itself where that would be below 4."""
    best = max(size for size in range(1, min(window, 7) + 1) if window % size == 0)
    return best if best >= 4 else window
