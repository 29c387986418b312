"""Who sees whom in one window: takes the sparse settings of a stage, gives neighbourhoods, grid points and key counts.

Tokens are numbered in raster order. A pattern is one function and its entry in PATTERNS, from which the words of a spec
and every mask follow. Loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.spec.registries import find_word, read_words


@dataclass(frozen=True, kw_only=True)
class SelectWords:
    """What a spec must know of a way to choose global tokens; its entry in SELECTS of the network says it.

    `makes_globals`: there are any. `keys_only`: what is chosen is attended to and attends to nothing itself.
    """

    makes_globals: bool = True
    keys_only: bool = False


SELECT_WORDS = read_words("select", SelectWords)


@dataclass(frozen=True)
class SparseShape:
    """Longformer attention of one stage as it is computed: single values clipped, defaults filled in.

    `radius` is 0 for a tiled pattern and `tile` 0 for the others. `globals` is 0 where a select makes none.
    Raises ValueError for a pattern or a select that nothing carries out.
    """

    pattern: str
    select: str
    projections: str
    bias: str
    combine: str
    radius: int
    globals: int
    tile: int

    def __post_init__(self) -> None:
        find_word(PATTERNS, self.pattern, "pattern")
        find_word(SELECT_WORDS, self.select, "select")

    @property
    def is_tiled(self) -> bool:
        """Whether the neighbourhood of a token is the tile that it lies in."""
        return PATTERNS[self.pattern].is_tiled

    @property
    def has_global_keys_only(self) -> bool:
        """Whether what is global has no rows of its own: cells, not tokens."""
        return SELECT_WORDS[self.select].keys_only

    @property
    def has_global_rows(self) -> bool:
        """Whether some tokens attend to the whole window (pooled cells are keys only)."""
        return self.globals > 0 and not self.has_global_keys_only

    @property
    def has_second_set(self) -> bool:
        """Whether a second projection set exists: not without tokens that would use it (it would never learn)."""
        return self.projections == "dual" and self.has_global_rows


@dataclass(frozen=True)
class Pattern:
    """A neighbourhood: `near` takes (settings, window, query), gives the tokens that the query sees, itself included.

    A tiled one cuts the window into tiles of `tile` tokens a side, which the fast path computes one by one; the others
    have a `radius` and are computed under a mask.
    """

    near: Callable[[SparseShape, int, int], Iterable[int]]
    is_tiled: bool = False


def neighbours(sparse: SparseShape, window: int) -> list[frozenset[int]]:
    """Return, for each token of the window in raster order, the tokens of its neighbourhood (itself included)."""
    near = find_word(PATTERNS, sparse.pattern, "pattern").near
    return [frozenset(near(sparse, window, query)) for query in range(window**2)]


def near_square(sparse: SparseShape, window: int, query: int) -> Iterable[int]:
    """The square of `radius` tokens to each side, cut off at the window's border."""
    sides = (range(max(0, at - sparse.radius), min(window, at + sparse.radius + 1)) for at in divmod(query, window))
    return _crossings(sides, window)


def near_tile(sparse: SparseShape, window: int, query: int) -> Iterable[int]:
    firsts = (at - at % sparse.tile for at in divmod(query, window))
    return _crossings((range(first, first + sparse.tile) for first in firsts), window)


def _crossings(sides: Iterable[range], window: int) -> list[int]:
    """Return the tokens in these rows and columns."""
    rows, columns = sides
    return [row * window + column for row in rows for column in columns]


def near_run(sparse: SparseShape, window: int, query: int) -> Iterable[int]:
    """The tokens just before and after in raster order, across the ends of rows."""
    reach = raster_reach(sparse.radius)
    return range(max(0, query - reach), min(window**2, query + reach + 1))


def raster_reach(radius: int) -> int:
    """Return R of the row pattern, |i - j| <= R in raster order: as many keys as a (2r+1) x (2r+1) neighbourhood."""
    return ((2 * radius + 1) ** 2 - 1) // 2


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
    if sparse.has_global_keys_only:
        return sum(len(keys) for keys in near) / len(near) + sparse.globals
    chosen = frozenset(grid_points(window, sparse.globals))
    total = sum(len(near) if query in chosen else len(keys | chosen) for query, keys in enumerate(near))
    return total / len(near)


PATTERNS: dict[str, Pattern] = {
    "slide": Pattern(near_square),
    "block": Pattern(near_tile, is_tiled=True),
    "row": Pattern(near_run),
}
