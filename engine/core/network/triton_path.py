"""The way to the Triton kernels: takes an attention module and projections, says whether the kernels fit, runs them.

Nothing here loads triton before a kernel runs: it is not there on every system.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Protocol

import torch
from torch import Tensor

from engine.core.network.triton_attention.plan import MOST_CHANNELS, MOST_GLOBALS, MOST_TOKENS, Geometry
from engine.spec.backends import unclaimed
from engine.spec.patterns import SparseShape

HAS_TRITON = importlib.util.find_spec("triton") is not None
# The interpreter of triton runs kernels on the CPU, slowly: for tests alone.
IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)


class Attends(Protocol):
    """What the kernels ask of an attention module; `sparse` is None where it is dense."""

    window: int
    heads: int
    head_dim: int
    backend: str
    prefers_triton: bool
    attention_biases: torch.nn.Parameter

    @property
    def sparse(self) -> SparseShape | None: ...

    def kernel_geometry(self) -> Geometry: ...


def misfit(module: Attends, device: torch.device) -> str:
    """Return why the kernels cannot compute a module on a device; empty where they can."""
    if not HAS_TRITON:
        return "triton is not installed"
    if device.type != "cuda" and not IS_INTERPRETED:
        return "it needs an NVIDIA GPU"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return "it needs a GPU of compute capability 8.0 or newer"
    return _oversize(module) or ", ".join(unclaimed(module.sparse))


def _oversize(module: Attends) -> str:
    tokens, count = module.window**2, 0 if module.sparse is None else module.sparse.globals
    if tokens > MOST_TOKENS:
        return f"{tokens} tokens in a window, at most {MOST_TOKENS}"
    if count > MOST_GLOBALS:
        return f"{count} globals, at most {MOST_GLOBALS}"
    return f"{module.head_dim} channels a head, at most {MOST_CHANNELS}" if module.head_dim > MOST_CHANNELS else ""


def uses_triton(module: Attends, x: Tensor) -> bool:
    """Say whether the kernels compute `module` for tokens x: asked for or settled on, and able to, here."""
    if not HAS_TRITON or not (module.backend == "triton" or module.prefers_triton):
        return False
    if not (x.is_cuda or (IS_INTERPRETED and x.device.type == "cpu")) or x.dtype not in PRECISIONS:
        return False
    return not _oversize(module) and not unclaimed(module.sparse)


def attend_windows(
    module: Attends, qkv: Tensor, keep: Tensor | None, places: Tensor | None = None, score: Tensor | None = None
) -> Tensor:
    """Return what ordinary rows get, (W, N, hd), for projections (W, N, 3hd).

    `keep` (W, N) is false for padding; `places` (W or 1, g) are the globals, `score` (W, g) what their logits get more.
    """
    # Here, where it is there: see the head of this file.
    from engine.core.network.triton_attention.operator import window_attention

    kind = None
    if places is not None:
        kind = torch.zeros(places.shape[0], qkv.shape[1], dtype=torch.uint8, device=qkv.device).scatter(1, places, 1)
    if keep is not None:
        padding = keep.logical_not().to(torch.uint8) * 2
        kind = padding if kind is None else kind + padding
    geometry = module.kernel_geometry()._replace(itself=int(keep is not None and module.sparse is not None))
    out: Tensor
    out, _ = window_attention(qkv, module.attention_biases, kind, places, score, list(geometry))
    return out
