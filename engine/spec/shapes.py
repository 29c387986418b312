"""Sizes of a TinyViT at an image size: takes a Network of the spec, gives what each stage really uses, without torch.

Windows, radii, globals and tiles are clipped or refused here (design of the attention words), so that `xp validate`,
`xp describe` and the network itself cannot disagree. Stage maps halve rounding up, as strided convolutions do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Problem, SpecError
from engine.spec import LongformerAttention, Network


@dataclass(frozen=True)
class Sizes:
    """The four-entry sizes of a TinyViT; entry 0 of heads and windows is unused (stage 0 is convolutional)."""

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    windows: tuple[int, ...] = (7, 7, 14, 7)
    drop_path: float = 0.0


@dataclass(frozen=True)
class SparseShape:
    """Longformer attention of one stage as it is computed: single values clipped, defaults filled in.

    `radius` is 0 for the block pattern and `tile` 0 for the others. `globals` is 0 with select none.
    """

    pattern: str
    select: str
    projections: str
    bias: str
    combine: str
    radius: int
    globals: int
    tile: int

    @property
    def has_global_rows(self) -> bool:
        """Whether some tokens attend to the whole window (pooled cells are keys only)."""
        return self.globals > 0 and self.select != "pooled"

    @property
    def has_second_set(self) -> bool:
        """Whether a second projection set exists: not without tokens that would use it (it would never learn)."""
        return self.projections == "dual" and self.has_global_rows


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

    @property
    def kind(self) -> str:
        if self.window == 0:
            return "conv"
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
    if not network.arch.startswith("tiny_vit"):
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
        elif word == "tile" and attention.pattern == "block" and window % min(value, window):
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
    sparse = None
    if isinstance(network.attention, LongformerAttention) and stage in network.attention.stages:
        sparse = sparse_shape(network.attention, stage, window)
    return StageShape(stage, dim, depth, heads, side, window, asked, sparse)


def _window(network: Network, sizes: Sizes, stage: int, side: int) -> int:
    """A window larger than the map is clipped to it; timm pads the map up to the window instead."""
    asked = sizes.windows[stage]
    return asked if network.padding == "timm" else min(asked, side)


def sparse_shape(attention: LongformerAttention, stage: int, window: int) -> SparseShape | None:
    """Return the effective settings of one stage; None where tiles cover the window: plain window attention."""
    tile = radius = 0
    if attention.pattern == "block":
        tile = min(_entry(attention.tile, stage, default_tile(window)), window)
        if tile == window:
            return None
    else:
        radius = min(_entry(attention.radius, stage, 2 if window <= 7 else 3), window - 1)
    count = min(_entry(attention.globals, stage, 4 if window <= 14 else 16), window**2)
    if attention.select == "none":
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


def raster_reach(radius: int) -> int:
    """Return R of the row pattern, |i - j| <= R in raster order: as many keys as a (2r+1) x (2r+1) neighbourhood."""
    return ((2 * radius + 1) ** 2 - 1) // 2


def neighbours(sparse: SparseShape, window: int) -> list[frozenset[int]]:
    """Return, for each token of the window in raster order, the tokens of its neighbourhood (itself included)."""
    return [frozenset(_near(sparse, window, query)) for query in range(window**2)]


def _near(sparse: SparseShape, window: int, query: int) -> list[int]:
    if sparse.pattern == "row":
        reach = raster_reach(sparse.radius)
        return list(range(max(0, query - reach), min(window**2, query + reach + 1)))
    rows, columns = (_near_line(sparse, window, at) for at in divmod(query, window))
    return [row * window + column for row in rows for column in columns]


def _near_line(sparse: SparseShape, window: int, at: int) -> range:
    """Rows (or columns) near row `at`: the pattern is the same along both."""
    if sparse.pattern == "block":
        first = at - at % sparse.tile
        return range(first, first + sparse.tile)
    return range(max(0, at - sparse.radius), min(window, at + sparse.radius + 1))


def grid_cells(window: int, count: int) -> list[list[int]]:
    """Cut the window into `count` near-square cells (bands of rows cut into columns); return the tokens of each."""
    bands = _band_counts(window, count)
    cells = []
    for band, columns in enumerate(bands):
        rows = range(band * window // len(bands), (band + 1) * window // len(bands))
        for column in range(columns):
            across = range(column * window // columns, (column + 1) * window // columns)
            cells.append([row * window + x for row in rows for x in across])
    return cells


def grid_points(window: int, count: int) -> list[int]:
    """Return the token at the centre of each grid cell: distinct, and the same set when the window is mirrored
    wherever the numbers allow it (the token right or below of the true middle in an even window with an odd count)."""
    bands = _band_counts(window, count)
    return [
        _centre(band, len(bands), window) * window + _centre(column, columns, window)
        for band, columns in enumerate(bands)
        for column in range(columns)
    ]


def _band_counts(window: int, count: int) -> list[int]:
    """Columns in each band: a x b where that is near square and fits, else bands as even as they can be."""
    for rows in range(math.isqrt(count), 0, -1):
        if count % rows == 0 and count // rows <= min(window, 3 * rows):
            return [count // rows] * rows
    if count == 0:
        return []
    bands = min(window, max(math.isqrt(count), math.ceil(count / window)))
    return [(band + 1) * count // bands - band * count // bands for band in range(bands)]


def _centre(cell: int, cells: int, window: int) -> int:
    if 2 * cell >= cells:
        return window - 1 - _centre(cells - 1 - cell, cells, window) if 2 * cell + 1 != cells else window // 2
    return (2 * cell + 1) * window // (2 * cells)


def mean_keys(sparse: SparseShape, window: int) -> float:
    """Return the mean number of keys per query of a full window, globals inside the neighbourhood counted once."""
    near = neighbours(sparse, window)
    if sparse.select == "pooled":
        return sum(len(keys) for keys in near) / len(near) + sparse.globals
    chosen = frozenset(grid_points(window, sparse.globals))
    total = sum(len(near) if query in chosen else len(keys | chosen) for query, keys in enumerate(near))
    return total / len(near)
