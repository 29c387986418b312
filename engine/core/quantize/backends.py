"""Every backend that quantises, by its word: takes a network and images, gives a file and what of it stayed float.

The words, and what must be installed for them, are in engine/spec/quantize.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from engine.core.export.about import Metadata
from engine.core.export.forms import Opened, write_form
from engine.core.quantize.onnx_int8 import Quantized, Watch, quantize_onnx
from engine.core.quantize.torchao_int8 import quantize_pt2
from engine.spec.quantize import Quantize

Write = Callable[[nn.Module, int, Path, Quantize, Sequence[Tensor], Metadata, Watch], Quantized]


class AnsweringFile(nn.Module):
    """An exported file in a network's place: fp32 images (B, 3, S, S) to logits (B, classes)."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self.opened = opened

    def forward(self, images: Tensor) -> Tensor:
        return self.opened(images)


def quantize_network(
    network: nn.Module, image_size: int, path: Path, told: Quantize, batches: Sequence[Tensor], texts: Metadata,
    watch: Watch,
) -> Quantized:  # fmt: skip
    """Write the quantised network, which is prepared in place, as a file with `texts` inside."""
    return BACKENDS[told.backend](network, image_size, path, told, batches, texts, watch)


def _by_onnxruntime(
    network: nn.Module, image_size: int, path: Path, told: Quantize, batches: Sequence[Tensor], texts: Metadata,
    watch: Watch,
) -> Quantized:  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="xp-int8-") as folder:
        whole = Path(folder) / "fp32.onnx"
        write_form("onnx", network, image_size, whole, {})
        return quantize_onnx(whole, path, told, batches, texts, watch)


BACKENDS: Mapping[str, Write] = {"onnxruntime": _by_onnxruntime, "torchao": quantize_pt2}
