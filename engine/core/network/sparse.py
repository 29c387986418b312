"""What sparse attention is made of: takes the settings of a stage, gives tables, parameters and the global tokens.

How global tokens are chosen is one entry of SELECTS, from which the words of a spec follow. The formula that puts the
parts together is in attention.py, the same with less work in fast.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.core.network import geometry
from engine.core.network.triton_attention.plan import Geometry
from engine.core.network.window import WindowAttention
from engine.spec.patterns import SelectWords, SparseShape, raster_reach

Rank = Callable[[Tensor, Tensor | None], Tensor]


class Globals(NamedTuple):
    """The chosen tokens: their places (W, g), and the learned score that is added to their logits, (W, N) or None."""

    places: Tensor
    score: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Select(SelectWords):
    """A way to choose global tokens: those that `rank` puts highest; without a rank, those on the grid.

    `rank` takes tokens (W, N, C) and their learned score, gives (W, N). `has_score`: there is a learned score, which is
    also added to the logits of global keys. `wants_received`: a block after the first of its stage takes the tokens
    that the block before attended to most.
    """

    rank: Rank | None = None
    has_score: bool = False
    wants_received: bool = False


class SparseAttention(WindowAttention):
    """The parts of Longformer attention inside each window: index tables, both projection sets, the global tokens."""

    sparse: SparseShape
    near: Tensor
    grid: Tensor
    order: Tensor
    cells: Tensor
    tiles: Tensor
    tile_offsets: Tensor
    static_index: Tensor
    row_index: Tensor
    band_index: Tensor
    far_index: Tensor

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        window: int,
        sparse: SparseShape,
        backend: str = "auto",
        lean: bool = False,
    ) -> None:
        super().__init__(dim, heads, head_dim, window, lean, backend)
        self.sparse, self.select = sparse, SELECTS[sparse.select]
        self.register_buffer("near", geometry.near_mask(sparse, window), persistent=False)
        self.register_buffer("grid", geometry.grid_index(window, sparse.globals), persistent=False)
        self.register_buffer("order", geometry.tie_order(window, sparse.globals), persistent=False)
        if sparse.has_global_keys_only:
            self.register_buffer("cells", geometry.cell_marks(window, sparse.globals), persistent=False)
        self.register_buffer("static_index", self._static_index(), persistent=False)
        self.register_buffer("row_index", self.offsets[self.grid][None], persistent=False)
        self._add_parameters(dim)

    def _static_index(self) -> Tensor:
        """Return where the bias of each key of an ordinary row lies; a tiled pattern adds its tables to the module."""
        sparse, tokens_only = self.sparse, self.sparse.has_global_keys_only
        if not sparse.is_tiled:
            self._add_bands()
            return geometry.mask_index(self.offsets, self.near, self.grid, tokens_only)
        tiles, tile_offsets = geometry.tile_tables(self.window, sparse.tile)
        self.register_buffer("tiles", tiles, persistent=False)
        self.register_buffer("tile_offsets", tile_offsets, persistent=False)
        return geometry.tile_index(self.offsets, tiles, tile_offsets, self.grid, tokens_only)

    def _add_bands(self) -> None:
        """Add where the bias of each band's queries to its keys lies, and that to the static globals beyond."""
        last = len(self.offsets)
        self.bands = geometry.key_bands(self.sparse, self.window)
        index = geometry.band_index(self.offsets.masked_fill(~self.near, last), self.bands)
        far = self.offsets.masked_fill(self.near, last)[:, self.grid]
        self.register_buffer("band_index", index, persistent=False)
        self.register_buffer("far_index", far, persistent=False)

    def _add_parameters(self, dim: int) -> None:
        """Draw no random numbers: a sparse and a dense network of one seed start from the same weights."""
        if self.sparse.has_second_set:
            self.qkv_global = copy.deepcopy(self.qkv)
        if self.sparse.bias == "separate" and self.sparse.has_global_rows:
            self.attention_biases_global = nn.Parameter(torch.zeros_like(self.attention_biases))
        if self.select.has_score and self.sparse.globals > 0:
            self.score = nn.Parameter(torch.zeros(dim))
        self.copy_projections()

    @torch.no_grad()
    def copy_projections(self) -> None:
        """Start the global set as a copy of the local one, as Longformer does."""
        if self.sparse.has_second_set:
            self.qkv_global.weight.copy_(self.qkv.weight)
            self.qkv_global.bias.copy_(self.qkv.bias)
        if hasattr(self, "attention_biases_global"):
            self.attention_biases_global.copy_(self.attention_biases)

    def kernel_geometry(self) -> Geometry:
        sparse, is_raster = self.sparse, self.sparse.pattern == "row"
        reach = raster_reach(sparse.radius) if is_raster else sparse.radius
        side = sparse.tile if sparse.is_tiled else self.window
        return Geometry(self.window, side, self.heads, -1 if sparse.is_tiled else reach, int(is_raster), 0)

    def pool_weights(self, keep: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return (W or 1, g, N) averaging weights; padding tokens count nothing, a cell of padding is all zero."""
        real = (self.cells[None] if keep is None else self.cells & keep[:, None, :]).to(dtype)
        return real / real.sum(-1, keepdim=True).clamp_min(1.0)

    def global_bias(self) -> Tensor:
        """Return the bias of the global rows, (h, N, N), or zero for `bias: none`."""
        table = self.global_table()
        return self.attention_biases.new_zeros(()) if table is None else self.gather_bias(table, self.offsets)

    def global_table(self) -> Tensor | None:
        """Return the bias table of the global rows, None for `bias: none`."""
        if self.sparse.bias == "none":
            return None
        own: Tensor = getattr(self, "attention_biases_global", self.attention_biases)
        return own

    def choose(self, x: Tensor, keep: Tensor | None = None, chosen: Tensor | None = None) -> Globals:
        """Pick the global tokens of each window; padding is picked only where real tokens run out."""
        score = self.norm(x) @ self.score if self.select.has_score else None
        if chosen is not None:
            return Globals(chosen, score)
        if self.select.rank is not None:
            return Globals(self.top_tokens(self.select.rank(x, score), keep), score)
        return Globals(self.grid.expand(x.shape[0], -1), score)  # grid, and `previous` in a stage's first block

    def top_tokens(self, ranks: Tensor, keep: Tensor | None) -> Tensor:
        """Return (W, g) indices of the largest; among equals a grid point wins, then the lower number."""
        if keep is not None:
            ranks = ranks.masked_fill(~keep, -torch.inf)
        best = ranks[:, self.order].sort(dim=-1, descending=True, stable=True).indices
        return self.order[best[:, : self.sparse.globals]]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.sparse}, backend={self.backend}"


def rank_norm(x: Tensor, score: Tensor | None) -> Tensor:
    """Rank by the L2 norm before the layer norm."""
    ranks: Tensor = x.detach().float().norm(dim=-1)
    return ranks


def rank_score(x: Tensor, score: Tensor | None) -> Tensor:
    assert score is not None
    return score.detach()


SELECTS: dict[str, Select] = {
    "grid": Select(),
    "previous": Select(wants_received=True),
    "norm": Select(rank=rank_norm),
    "learned": Select(rank=rank_score, has_score=True),
    "pooled": Select(keys_only=True),
    "none": Select(makes_globals=False),
}
