"""How an attention is cut into programs: takes its geometry and sizes, gives block sizes, shares, kernel constants.

Everything follows from the sizes alone, never from the card: a sum has the same order wherever it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MOST_GLOBALS = 64
"""Globals of a window are one block of keys."""
MOST_TOKENS = 1024
"""Of a window: the tables of offsets and the buffers of the bias's gradient grow with its square."""
MOST_CHANNELS = 128
FILLED = 512
"""Programs that fill a card several times over: sums over windows are cut into about as many shares as that takes."""


class Geometry(NamedTuple):
    """Who sees whom: regions of `side` tokens a side in windows of `window`; `reach` below 0 is the whole region.

    `raster`: the reach is along the order of tokens. `itself`: a padding row sees itself. The fields are ints because
    an operator takes a list of them.
    """

    window: int
    side: int
    heads: int
    reach: int
    raster: int
    itself: int


@dataclass(frozen=True)
class Blocks:
    """Rows and keys that a program holds, and its warps and stages."""

    rows: int
    keys: int
    warps: int = 4
    stages: int = 2
    sum_warps: int = 0
    """Of the sum over regions, where others fit it better."""

    def warps_of(self, kernel: str) -> int:
        return self.sum_warps or self.warps if kernel == "sum_near" else self.warps


@dataclass(frozen=True)
class Plan:
    """One attention: its geometry, windows, head width and globals."""

    geometry: Geometry
    windows: int
    dim: int
    globals: int
    blocks: Blocks

    @property
    def tokens(self) -> int:
        """Tokens of a region."""
        return self.geometry.side**2

    @property
    def regions(self) -> int:
        return self.windows * (self.geometry.window // self.geometry.side) ** 2

    @property
    def row_blocks(self) -> int:
        return -(-self.tokens // self.blocks.rows)

    @property
    def slots(self) -> int:
        """The most key blocks that a block of rows reaches."""
        return max(end - first for first, end in map(self.reached, range(self.row_blocks)))

    @property
    def visited(self) -> int:
        """Pairs of a block of rows and a block of keys that meet in one region."""
        return sum(end - first for first, end in map(self.reached, range(self.row_blocks)))

    def reached(self, block: int) -> tuple[int, int]:
        """Return the first key block that a block of rows reaches and the one after the last, as the kernels do."""
        side, reach, size = self.geometry.side, self.geometry.reach, self.blocks.keys
        first = block * self.blocks.rows
        last = min(first + self.blocks.rows, self.tokens) - 1
        low, high = 0, self.tokens
        if reach >= 0 and self.geometry.raster:
            low, high = max(first - reach, 0), min(last + reach + 1, self.tokens)
        elif reach >= 0:
            low = max(first // side - reach, 0) * side
            high = min(last // side + reach + 1, side) * side
        return low // size, -(-high // size)

    @property
    def near_share(self) -> int:
        """Regions that one program sums, so that there are enough programs and no more buffer than that takes."""
        return share_of(self.regions, self.geometry.heads * self.row_blocks * self.slots)

    @property
    def near_shares(self) -> int:
        return -(-self.regions // self.near_share)

    @property
    def far_share(self) -> int:
        return share_of(self.windows, self.geometry.heads * -(-(self.geometry.window**2) // BINS))

    @property
    def far_shares(self) -> int:
        return -(-self.windows // self.far_share)


def share_of(work: int, programs: int) -> int:
    """Return how much of the work one of a row of programs takes, where there are `programs` in each share."""
    return -(-work // min(work, max(1, -(-FILLED // programs))))


BINS = 128
"""Entries of the bias table that one program sums for the globals."""


def choose_blocks(geometry: Geometry, is_wide: bool) -> Blocks:
    """Return the block sizes: the region where it is small, fewer rows where only a band is seen.

    Warps and stages are such that nothing spills on the cards that are compiled for. `is_wide`: products are of fp32,
    for which no tensor core serves; larger blocks do not fit into registers then.
    """
    tokens = geometry.side**2
    is_banded = geometry.reach >= 0 and tokens > 64
    if tokens <= 16:
        return Blocks(16, 16, warps=1, stages=1)
    if is_wide:
        return Blocks(16, 16, warps=2, stages=1, sum_warps=1) if is_banded else Blocks(32, 32, warps=8, stages=1)
    if tokens <= 32:
        return Blocks(32, 32, warps=2)
    return Blocks(32, 32, stages=1) if is_banded else Blocks(64, 64, warps=8)


def power_above(size: int) -> int:
    """Return the least power of two that a product can have as a side and that holds `size`."""
    return int(max(16, 1 << (size - 1).bit_length()))
