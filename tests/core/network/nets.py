"""Small networks and attention modules for tests: takes settings, gives modules with no zero left in them."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.build import build_network
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.window import WindowAttention
from engine.spec import LongformerAttention as Words
from engine.spec import Student
from engine.spec.patterns import SparseShape
from engine.spec.shapes import sparse_shape

SIZES: dict[str, Any] = {"dims": [16, 32, 48, 64], "depths": [1, 2, 2, 1], "heads": [1, 2, 3, 4]}


def student(arch: str = "tiny_vit", attention: dict[str, Any] | None = None, **settings: Any) -> Student:
    sizes = SIZES if arch == "tiny_vit" else {}
    if attention is not None:
        settings["attention"] = Words(kind="longformer", **attention)
    return Student(arch=arch, **(sizes | settings))


def network(size: int = 56, attention: dict[str, Any] | None = None, seed: int = 0, **settings: Any) -> TinyViT:
    """Build a small TinyViT for `size` px and 10 classes, every parameter and statistic random, in float64."""
    memory = settings.pop("memory", "standard")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = build_network(student(attention=attention, **settings), 10, size, memory=memory)
    assert isinstance(net, TinyViT)
    randomize(net, seed)
    return net.double()


def randomize(module: nn.Module, seed: int = 0, scale: float = 0.05) -> None:
    """Move every parameter and statistic off its start, in place: no zero gamma, no zero bias table stays."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d) and part.running_mean is not None and part.running_var is not None:
                part.running_mean.add_(scale * torch.randn(part.running_mean.shape, generator=generator))
                part.running_var.mul_(0.5 + torch.rand(part.running_var.shape, generator=generator))


def sparse(window: int, stage: int = 1, **words: Any) -> SparseShape:
    shape = sparse_shape(Words(kind="longformer", **words), stage, window)
    assert shape is not None
    return shape


def longformer(
    window: int = 6, dim: int = 16, heads: int = 2, backend: str = "auto", **words: Any
) -> LongformerAttention:
    module = LongformerAttention(dim, heads, dim // heads, window, sparse(window, **words), backend)
    randomize(module, scale=0.3)
    return module.double()


def dense(window: int = 6, dim: int = 16, heads: int = 2) -> WindowAttention:
    module = WindowAttention(dim, heads, dim // heads, window)
    randomize(module, scale=0.3)
    return module.double()


def tokens(window: int = 6, dim: int = 16, windows: int = 3, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, window**2, dim, generator=generator, dtype=torch.float64)


def twin_of(module: WindowAttention, sparse_module: LongformerAttention) -> LongformerAttention:
    """Give the sparse module the dense one's weights, its global set as a copy of them."""
    sparse_module.load_state_dict(module.state_dict(), strict=False)
    sparse_module.copy_projections()
    return sparse_module


def drawn_timm(name: str, **options: Any) -> nn.Module:
    """A network of timm's for ten classes, its weights and statistics drawn, in double precision and evaluating."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = timm.create_model(name, num_classes=10, **options)
    randomize(net)
    return net.double().eval()
