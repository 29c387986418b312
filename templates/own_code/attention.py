"""An attention of your own for the windows of a tiny_vit: tokens (W, N, dim) in raster order to the same shape."""

import torch
from pydantic import BaseModel
from torch import Tensor, nn


class Band(BaseModel):
    reach: int = 4


class BandAttention(nn.Module):
    def __init__(self, dim: int, heads: int, window: int, options: Band) -> None:
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        place = torch.arange(window * window)
        self.register_buffer("near", (place[:, None] - place).abs() <= options.reach, persistent=False)

    def forward(self, tokens: Tensor, keep: Tensor | None) -> Tensor:
        """A token sees those near it that are no padding, and always itself."""
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        itself = torch.eye(len(self.near), dtype=torch.bool, device=tokens.device)
        seen = self.near if keep is None else (self.near & keep[:, None, None, :]) | itself
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.proj(mixed.transpose(1, 2).flatten(2))
