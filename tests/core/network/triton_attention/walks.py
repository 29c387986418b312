"""What the interpreter runs (interpreter.py): attention modules by the kernels and by the reference, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.triton_attention import launch, operator
from engine.core.network.triton_attention.plan import Blocks, Geometry
from engine.core.network.triton_path import uses_triton
from engine.core.network.window import WindowAttention
from tests.core.network.nets import longformer, randomize, tokens

Words = dict[str, Any]
WIDTH = 16
"""Of a head: the least that a product of blocks takes."""

CASES: tuple[Words, ...] = (
    {"kind": "window", "padding": "mask"},
    {"pattern": "slide", "radius": 1, "select": "grid", "projections": "dual", "bias": "shared", "padding": "mask"},
    {"pattern": "block", "window": 4, "tile": 2, "select": "learned", "bias": "separate", "heads": 2},
    {"pattern": "row", "radius": 1, "select": "norm", "projections": "shared", "bias": "none", "padding": "timm"},
    {"pattern": "slide", "window": 4, "radius": 1, "select": "previous"},
    {"pattern": "block", "window": 4, "tile": 2, "select": "none", "padding": "mask"},
)
"""Together every word that the kernels claim; most windows are 5 x 5 in blocks of 16 tokens, which do not divide it."""


def set_blocks(size: int) -> None:
    """Make programs so small that small windows take several."""
    setattr(launch, "choose_blocks", lambda *_: Blocks(size, size))  # noqa: B010


def build(words: Words) -> WindowAttention:
    own = dict(words)
    window, heads = own.pop("window", 5), own.pop("heads", 1)
    own.pop("padding", None)
    if own.pop("kind", "longformer") == "window":
        module: WindowAttention = WindowAttention(WIDTH * heads, heads, WIDTH, window, backend="triton")
        randomize(module, scale=0.3)
        return module
    return longformer(window, WIDTH * heads, heads, "triton", globals=own.pop("globals", 3), **own).float()


def compare(cases: list[Words], block: int = 16) -> list[dict[str, float]]:
    """Return, of each case, how far the kernels are from the reference: output, and gradients by their largest."""
    set_blocks(block)
    return [_compare_one(build(words), words) for words in cases]


def _compare_one(module: WindowAttention, words: Words) -> dict[str, float]:
    x = tokens(module.window, module.qkv.in_features, words.get("windows", 2)).float()
    keep = _keep(module.window, len(x)) if words.get("padding") == "mask" else None
    chosen = None
    if words.get("select") == "previous":
        draw = torch.Generator().manual_seed(3)
        chosen = torch.stack([torch.randperm(x.shape[1], generator=draw)[:3] for _ in x])
    assert uses_triton(module, x)
    found = results(module, x, keep, chosen)
    module.backend = "reference"
    expected = results(module, x, keep, chosen)
    largest = max(float(value.abs().max()) for value in expected[1:])
    far = [float((one - other).abs().max()) for one, other in zip(found, expected, strict=True)]
    return {"forward": far[0], "gradients": max(far[1:]) / max(1.0, largest)}


def _keep(window: int, windows: int) -> Tensor:
    """Return (W, N): the first window is whole, the others lose rows below and columns on the right."""
    keep = torch.ones(windows, window, window, dtype=torch.bool)
    keep[1:, -1:], keep[1:, :, -2:] = False, False
    return keep.flatten(1)


def results(module: WindowAttention, x: Tensor, keep: Tensor | None, chosen: Tensor | None) -> list[Tensor]:
    """Return output, input gradient and all parameter gradients."""
    module.zero_grad()
    x = x.clone().requires_grad_()
    given = (x, keep, chosen) if isinstance(module, LongformerAttention) else (x, keep)
    out = module(*given)
    out = out.out if isinstance(module, LongformerAttention) else out
    out.mul(torch.arange(out.numel(), dtype=out.dtype).view_as(out).cos()).sum().backward()
    assert x.grad is not None
    return [out.detach(), x.grad, *(_gradient(part) for part in module.parameters())]


def _gradient(part: nn.Parameter) -> Tensor:
    return torch.zeros(1) if part.grad is None else part.grad


def default() -> dict[str, Any]:
    """Do all that the default tests ask for, in one process."""
    sound = [poison(*band) for band in BANDS]
    return {"compared": compare(list(CASES)), "repeated": repeat(), "sound": sound, "half": half("bfloat16")}


BANDS = ((2, 0), (5, 1), (-1, 0))
"""Reach and raster of windows of 8 x 8: slide, row, dense."""


def repeat() -> list[bool]:
    """Say, of each gradient, whether a second backward pass of the same gave the same bits; five windows in shares."""
    set_blocks(16)
    module = build({"pattern": "slide", "window": 4, "radius": 1, "select": "norm"})
    x = tokens(4, WIDTH, 5).float()
    first, second = (results(module, x, None, None) for _ in range(2))
    return [torch.equal(one, other) for one, other in zip(first, second, strict=True)]


def poison(reach: int, raster: int) -> list[bool]:
    """Put what spoils every sum into keys beyond the reach of the first rows; say which blocks of rows stay sound."""
    set_blocks(16)
    geometry = Geometry(8, 8, 1, reach, raster, 0)
    qkv, table = torch.randn(1, 64, 3 * WIDTH), torch.randn(1, 64)
    qkv[:, 48:, WIDTH:] = torch.inf
    out, _ = operator.window_attention(qkv, table, None, None, None, list(geometry))
    return [bool(rows.isfinite().all()) for rows in out[0].split(16)]


def mend_products() -> None:
    """The interpreter multiplies the bit patterns of bf16: give it their values, in fp32 as a GPU sums them."""
    from triton import language as tl
    from triton.runtime import interpreter

    product = interpreter.InterpreterBuilder.create_dot

    def widen(part: Any) -> Any:
        if part.dtype.scalar != tl.bfloat16:
            return part
        values = interpreter._convert_float(part.data, tl.bfloat16, tl.float32, None).view("float32")
        return interpreter.TensorHandle(values, tl.float32)

    def create_dot(self: Any, a: Any, b: Any, *more: Any) -> Any:
        return product(self, widen(a), widen(b), *more)

    interpreter.InterpreterBuilder.create_dot = create_dot


def half(dtype: str) -> float:
    """Return how far the kernels under autocast are from fp32."""
    set_blocks(16)
    mend_products()
    # Of the grid: rounding may choose others by a score.
    module, x = build({"pattern": "slide", "window": 4, "radius": 1}), tokens(4, WIDTH, 1).float()
    expected = results(module, x, None, None)
    with torch.autocast("cpu", getattr(torch, dtype)):
        found = results(module, x, None, None)
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in zip(found, expected, strict=True))


def compiled() -> dict[str, float]:
    """Compile a module as one graph and return how far it is from itself, gradients by their largest."""
    set_blocks(16)
    module, x = build({"pattern": "slide", "window": 4, "radius": 1}), tokens(4, WIDTH, 2).float()
    expected = results(module, x, None, None)
    module.compile(backend="aot_eager", fullgraph=True)
    found = results(module, x, None, None)
    far = [float((one - other).abs().max()) for one, other in zip(found, expected, strict=True)]
    return {"forward": far[0], "gradients": max(far[1:])}
